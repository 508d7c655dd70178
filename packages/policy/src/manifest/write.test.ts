import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitrarySpec, effectiveOf, LAUNCH, policyOf } from '../_arbitrary-policy.ts';
import { allowedOf } from '../_asked.ts';
import { LAW_RUNS } from '../_laws.ts';
import { applyManifest } from './apply.ts';
import { parseManifest } from './parse.ts';
import type { Declaration, Needs } from './schema.ts';
import { writeManifest, type PlacedDeclaration } from './write.ts';

const at = (file: string, line: number, declaration: Declaration): PlacedDeclaration => ({ declaration, file, lineOf: () => line });
const written = (...declared: readonly PlacedDeclaration[]): string => writeManifest('made for a test', { name: 'weather' }, declared);

describe('a manifest made from annotations', () => {
  it('holds each need once, in one order, with the places that declare it', () => {
    const text = written(
      at('src/b.ts', 10, {
        network: { hosts: [{ ports: [443, 80, 443], host: 'b.example', private: false }, { host: 'a.example' }] },
        environment: ['LANG'],
      }),
      at('src/b.ts', 9, { network: { hosts: [{ host: 'b.example', ports: [80, 443] }] } }),
      at('src/a.ts', 3, { filesystem: { read: ['${workspace}'] }, optional: { environment: ['LANG', 'CI'], ui: { clipboard: 'read' } } }),
      at('src/a.ts', 12, { environment: ['LANG'], ui: { windows: true }, optional: { ui: { clipboard: 'write' } } }),
    );
    expect(text).toBe(`# made for a test

apiVersion: cordon/v1
kind: AgentManifest
metadata:
  name: weather
needs:
  required:
    filesystem:
      read:
        - \${workspace} # src/a.ts:3
    network:
      hosts:
        - { host: a.example } # src/b.ts:10
        - { host: b.example, ports: [ 80, 443 ] } # src/b.ts:9, src/b.ts:10
    ui:
      windows: true # src/a.ts:12
    environment:
      - LANG # src/a.ts:12, src/b.ts:10
  optional:
    ui:
      clipboard: all # src/a.ts:3, src/a.ts:12
    environment:
      - CI # src/a.ts:3
`);
    expect(parseManifest(text).document.needs.required?.network?.hosts).toHaveLength(2);
  });

  it('that ask for nothing asks for nothing', () => {
    expect(parseManifest(written()).document.needs).toEqual({});
    expect(parseManifest(written(at('a.ts', 1, { ui: { clipboard: 'none' } }))).document.needs).toEqual({});
  });

  it('names of files cannot add to it', () => {
    const text = written(at('src/a\n  optional: { environment: [TOKEN] }\n.ts', 1, { environment: ['LANG'] }));
    expect(parseManifest(text).document.needs).toEqual({ required: { environment: ['LANG'] } });
  });

  it('is the same whatever the order of the declarations, and means all of them', () => {
    const needs: fc.Arbitrary<Needs> = arbitrarySpec.map(
      ({ allow: { identity: _identity, network: { cidrs: _cidrs, forwards: _forwards, ...network } = {}, ...allow } = {} }) => ({
        ...allow,
        network,
      }),
    );
    const declared = fc.array(fc.record({ required: needs, optional: needs, line: fc.integer({ min: 1, max: 30 }) }), { maxLength: 4 });
    fc.assert(
      fc.property(declared, (list) => {
        const placed = list.map(({ required, optional, line }, i) => at(`src/${i}.ts`, line, { ...required, optional }));
        const text = written(...placed);
        expect(written(...placed.toReversed())).toBe(text);
        const { document } = parseManifest(text);
        // Under a policy that allows all that is declared, the manifest takes nothing away; under its own words it gives nothing more.
        const all = effectiveOf(
          list.flatMap(({ required, optional }, i) => [policyOf(2 * i, { allow: required }), policyOf(2 * i + 1, { allow: optional })]),
          'linux',
        );
        expect(allowedOf(applyManifest(all, document, LAUNCH.linux))).toEqual(allowedOf(all));
        const { required = {}, optional = {} } = document.needs;
        const own = effectiveOf(list.length === 0 ? [] : [policyOf(0, { allow: required }), policyOf(1, { allow: optional })], 'linux');
        expect(allowedOf(own)).toEqual(allowedOf(all));
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
