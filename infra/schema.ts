/** `npm run schema`: writes the JSON Schema files for editors, docs/schema. A test says when they are not what the product understands. */
import fs from 'node:fs';
import path from 'node:path';
import { EDITOR_SCHEMAS } from '@cordon/policy/document/editor-schema.ts';

const folder = path.join(import.meta.dirname, '../docs/schema');
fs.mkdirSync(folder, { recursive: true });
for (const [file, text] of Object.entries(EDITOR_SCHEMAS)) {
  fs.writeFileSync(path.join(folder, file), text);
  console.log(`docs/schema/${file}`);
}
