/** Where the parts of this program lie: in a checkout as they were written, or packed for an endpoint, all in one folder. */
import path from 'node:path';

const IS_PACKED = !import.meta.filename.endsWith('.ts');

/** The whole installation: what no run may change or replace. */
export const INSTALLATION = path.join(import.meta.dirname, IS_PACKED ? '..' : '../../..');

/** The first module of the egress process. */
export const EGRESS_PROGRAM = path.join(import.meta.dirname, IS_PACKED ? 'egress.js' : 'egress/main.ts');

/** The first module of the process that lists what is installed, as the account whose home it reads. */
export const DISCOVERY_PROGRAM = path.join(import.meta.dirname, IS_PACKED ? 'discovery.js' : 'discovery/main.ts');
