import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, arbitrarySpec, arbitrarySystem, effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { narrowsSets } from '../delta/sets/narrows-sets.ts';
import { sampledGains } from '../delta/_pairs.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { AppliedPolicy } from '../effective.ts';
import { plainlyNarrows } from './plainly.ts';

type Spec = PolicyDocument['spec'];
const documentOf = (spec: Spec): PolicyDocument => policyOf(0, spec).document;
const plainly = (before: Spec, after: Spec): boolean => plainlyNarrows(documentOf(before), documentOf(after));

describe('what plainly takes away', () => {
  const before: Spec = {
    allow: {
      filesystem: { write: ['${workspace}'] },
      network: { hosts: [{ host: 'a.com' }, { host: 'b.com', ports: [443, 80] }] },
      ui: { clipboard: 'all' },
    },
    deny: { network: { hosts: [{ host: 'c.com' }] } },
    limit: { network: { hosts: [{ host: '*.com' }] } },
  };

  it('is an allow less, or a deny more', () => {
    expect(plainly(before, before)).toBe(true);
    expect(plainly(before, { ...before, allow: { network: { hosts: [{ host: 'a.com' }] } } })).toBe(true);
    expect(plainly(before, { deny: before.deny ?? {}, limit: before.limit ?? {} })).toBe(true);
    expect(plainly(before, { ...before, deny: { run: true, network: { hosts: [{ host: 'd.com' }, { host: 'c.com' }] } } })).toBe(true);
    expect(plainly({}, { deny: { filesystem: { access: ['/srv'] } } })).toBe(true);
  });

  it('is nothing else, however narrow it may be', () => {
    const { allow = {}, deny = {}, limit = {} } = before;
    for (const after of [
      { ...before, allow: { ...allow, ui: { clipboard: 'read' } } },
      { ...before, allow: { ...allow, network: { hosts: [{ host: 'b.com', ports: [443] }] } } },
      { ...before, allow: { ...allow, network: { hosts: [{ host: 'e.com' }] } } },
      { ...before, allow: { ...allow, identity: { hosts: ['a.com'] } } },
      { allow, limit },
      { ...before, deny: { network: { hosts: [{ host: 'd.com' }] } } },
      { allow, deny },
      { ...before, limit: { network: { hosts: [] } } },
      { ...before, mode: 'audit' },
      { ...before, match: { agents: ['codex'] } },
      { ...before, grace: '0s' },
      { ...before, required: [] },
    ] as Spec[])
      expect(plainly(before, after), JSON.stringify(after)).toBe(false);
  });

  it('is not told where a path means nothing on one system', () => {
    for (const path of ['${home}/a:b', '/srv/a.', '/srv/a ', '/srv/../etc', '/srv/\u0007', 'C:\\a:b'])
      expect(plainly({ allow: { filesystem: { read: [path] } } }, {}), path).toBe(false);
    for (const path of ['${home}', '${workspace}/a b/.c', '/srv/a.b/', 'C:\\Users\\x', '/'])
      expect(plainly({ allow: { filesystem: { read: [path] } } }, {}), path).toBe(true);
  });
});

/** Some entries of lists and some members of objects taken out. */
const thinned = (value: unknown, keep: (i: number) => boolean): unknown => {
  let i = 0;
  const go = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.filter(() => keep((i += 1)));
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).flatMap(([name, member]) => (keep((i += 1)) ? [[name, go(member)]] : [])));
  };
  return go(value);
};

it(
  'what plainly takes away from one policy lets nobody gain, whatever else there is',
  () => {
    let plain = 0;
    fc.assert(
      fc.property(
        arbitrarySpec,
        arbitraryPolicies,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        arbitrarySystem,
        (spec, others, keeps, denies, os) => {
          const keep = (i: number): boolean => keeps[i % keeps.length] ?? true;
          // Either the allow is thinned, or what is compared with is the one without some of the denies.
          const thin = thinned(denies ? spec.deny : spec.allow, keep) as object | undefined;
          const other: Spec = thin === undefined ? spec : { ...spec, [denies ? 'deny' : 'allow']: thin };
          const [before, after] = denies ? [other, spec] : [spec, other];
          if (!plainly(before, after)) return;
          plain += 1;
          const rest = others.map((policy): AppliedPolicy => ({ ...policy, policy: `${policy.policy}x` }));
          const [had, has] = [before, after].map((one) => [policyOf(0, one), ...rest].map(preparePolicy));
          const result = narrowsSets({ policies: had ?? [], floor: undefined }, { policies: has ?? [], floor: undefined });
          expect(result.verdict, JSON.stringify(result)).not.toBe('no');
          expect(sampledGains(effectiveOf([policyOf(0, before), ...rest], os), effectiveOf([policyOf(0, after), ...rest], os))).toEqual([]);
        },
      ),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    );
    expect(plain).toBeGreaterThan(LAW_RUNS / 16);
  },
  LAW_TIMEOUT_MS,
);
