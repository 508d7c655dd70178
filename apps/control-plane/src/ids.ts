/** Random identifiers: `<prefix>_<20 base64url characters>`, 120 bits, never reused. */
import { randomBytes } from 'node:crypto';

export type IdPrefix = 'dev' | 'grp' | 'pol' | 'asg' | 'ent' | 'chg' | 'prp' | 'coh' | 'org' | 'exr' | 'exc';

export const newId = (prefix: IdPrefix): string => `${prefix}_${randomBytes(15).toString('base64url')}`;
