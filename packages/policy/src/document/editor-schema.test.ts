import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { arbitrarySpec, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS } from '../_laws.ts';
import { EDITOR_SCHEMAS } from './editor-schema.ts';

const folder = path.join(import.meta.dirname, '../../../../docs/schema');
const fileText = (file: string): string => fs.readFileSync(path.join(folder, file), 'utf8');
const schemaOf = (file: string): Record<string, unknown> => JSON.parse(fileText(file)) as Record<string, unknown>;

describe('the schema files for editors', () => {
  it('are what the product understands: npm run schema writes them', () => {
    expect(fs.readdirSync(folder).sort()).toEqual(Object.keys(EDITOR_SCHEMAS).sort());
    for (const [file, text] of Object.entries(EDITOR_SCHEMAS)) expect(fileText(file)).toBe(text);
  });

  it('have names of their own and need nothing from elsewhere', () => {
    expect(schemaOf('policy.schema.json')).toMatchObject({
      $id: 'urn:cordon:policy:v1',
      $schema: 'https://json-schema.org/draft/2020-12/schema',
    });
    expect(schemaOf('manifest.schema.json')).toMatchObject({ $id: 'urn:cordon:manifest:v1' });
    expect(fileText('policy.schema.json') + fileText('manifest.schema.json')).not.toMatch(/\$ref/);
  });

  it('by themselves accept valid policies, and no key that is not known', () => {
    const validator = Compile(schemaOf('policy.schema.json'));
    fc.assert(
      fc.property(arbitrarySpec, (spec) => {
        const { document } = policyOf(0, spec);
        expect(validator.Check(document)).toBe(true);
        expect(validator.Check({ ...document, unknown: 1 })).toBe(false);
        expect(validator.Check({ ...document, spec: { ...spec, unknown: 1 } })).toBe(false);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('by themselves accept a manifest, and no policy as one', () => {
    const validator = Compile(schemaOf('manifest.schema.json'));
    const manifest = {
      apiVersion: 'cordon/v1',
      kind: 'AgentManifest',
      metadata: { name: 'x' },
      needs: { required: { environment: ['LANG'] } },
    };
    expect(validator.Check(manifest)).toBe(true);
    expect(validator.Check({ ...manifest, kind: 'ContainmentPolicy' })).toBe(false);
    expect(validator.Check({ ...manifest, needs: { required: { environment: ['1'] } } })).toBe(false);
  });
});
