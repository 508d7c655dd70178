/** Public test vectors (C2SP/wycheproof, cyberphone/json-canonicalization), which lie beside a checkout and are not copied into it. */
import fs from 'node:fs';
import path from 'node:path';

const folder = path.join(import.meta.dirname, '../../../../../shared/vectors');

/** Tests that need them are skipped, and counted as skipped, where they are absent. */
export const HAS_VECTORS = fs.existsSync(folder);

/** @returns undefined where there are none */
export const readVector = (file: string): string | undefined =>
  HAS_VECTORS ? fs.readFileSync(path.join(folder, file), 'utf8') : undefined;
