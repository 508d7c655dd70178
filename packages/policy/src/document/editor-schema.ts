/** The languages as JSON Schema files, so that editors complete and check while one types. Made from the schemas that the product itself uses. */
import type { TSchema } from 'typebox';
import { AgentManifest } from '../manifest/schema.ts';
import { PolicyDocument } from './schema.ts';

/** JSON Schema 2020-12. The id is a name, not a place: nothing is fetched. */
const text = ($id: string, schema: TSchema): string =>
  `${JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', $id, ...schema }, null, 2)}\n`;

/** Text by name of the file. */
export const EDITOR_SCHEMAS: Readonly<Record<string, string>> = {
  'policy.schema.json': text('urn:cordon:policy:v1', PolicyDocument),
  'manifest.schema.json': text('urn:cordon:manifest:v1', AgentManifest),
};
