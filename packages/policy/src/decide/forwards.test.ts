/** Raw ways to one place, and the bytes that a run may send: from the text of a policy to what the proxy is told. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, effectiveOf, policyOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS } from '../_laws.ts';
import { compileBubblewrap } from '../compile/bubblewrap.ts';
import { deltaOf, narrows } from '../delta/delta.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { parsePolicy } from '../document/parse.ts';
import type { EffectivePolicy } from '../effective.ts';
import { enclose } from '../enclosure.ts';
import { explainEgress } from '../explain.ts';

type Network = NonNullable<NonNullable<PolicyDocument['spec']['allow']>['network']>;

const under = (...networks: readonly Network[]) =>
  effectiveOf(
    networks.map((network, i) => policyOf(i, { allow: { network } })),
    'linux',
  );
const TLS = under({ hosts: [{ host: 'db.example.com' }] });
const RAW = under({ forwards: [{ host: 'db.example.com', port: 443, at: 5432 }] });
const written = (forwards: string): readonly string[] => {
  try {
    parsePolicy(
      `apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: x }\nspec: { allow: { network: { forwards: [${forwards}] } } }\n`,
    );
    return [];
  } catch (error) {
    return [String((error as { issues?: { code: string }[] }).issues?.map(({ code }) => code) ?? error)];
  }
};

describe('a forward', () => {
  it('leads to one port of one host, and carries whatever is sent', () => {
    expect(explainEgress(RAW, 'db.example.com', 443)).toMatchObject({ verdict: 'allowed', raw: true, exact: true });
    expect(explainEgress(RAW, 'db.example.com', 5432).verdict).toBe('denied');
    expect(explainEgress(RAW, 'x.db.example.com', 443).verdict).toBe('denied');
    expect(explainEgress(TLS, 'db.example.com', 443)).toMatchObject({ verdict: 'allowed', raw: false });
  });

  it('is under every deny and limit of hosts, like any allow', () => {
    const forward = { allow: { network: { forwards: [{ host: 'db.example.com', port: 5432 }] } } };
    for (const more of [
      { deny: { network: { hosts: [{ host: '*.example.com' }] } } },
      { limit: { network: { hosts: [{ host: 'api.example.com' }] } } },
    ])
      expect(explainEgress(effectiveOf([policyOf(0, forward), policyOf(1, more)], 'linux'), 'db.example.com', 5432).verdict).toBe('denied');
  });

  it('is more than a host for TLS: approvers are told, and a parent that has the one has not the other', () => {
    expect(deltaOf(TLS, RAW).gained).toMatchObject([{ category: 'network.host', target: 'db.example.com:443', cause: 'allow-added' }]);
    expect(deltaOf(RAW, TLS)).toMatchObject({ gained: [], lost: [{ target: 'db.example.com:443' }] });
    expect(explainEgress(enclose(RAW, TLS), 'db.example.com', 443)).toMatchObject({ verdict: 'allowed', raw: false });
    expect(explainEgress(enclose(RAW, RAW), 'db.example.com', 443)).toMatchObject({ verdict: 'allowed', raw: true });
  });

  it('laws: what became raw is told as gained, and a child is raw only where its parent is', () => {
    const raw = (effective: EffectivePolicy): ReadonlySet<string> =>
      new Set(
        ['example.com', 'db.other.test', '8.8.8.8'].flatMap((host) =>
          [80, 443, 8443]
            .filter((port) => effective.refused === undefined && explainEgress(effective, host, port).raw)
            .map((port) => `${host}:${port}`),
        ),
      );
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryPolicies, (before, after) => {
        const [a, b] = [effectiveOf(before, 'linux'), effectiveOf(after, 'linux')];
        const gained = [...raw(b)].filter((target) => !raw(a).has(target));
        expect(gained.length === 0 || narrows(a, b) === 'no').toBe(true);
        for (const target of raw(enclose(a, b))) expect(raw(a).has(target) && raw(b).has(target)).toBe(true);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each([
    '{ host: "*.example.com", port: 22 }',
    '{ host: 10.1.2.3, port: 22 }',
    '{ host: 0x7f.1, port: 22 }',
    '{ host: a.b.test, port: 22, at: 3128 }',
    '{ host: a.b, port: 22, at: 80 }',
  ])('written as %s is an error', (forward) => {
    expect(written(forward)).not.toEqual([]);
  });

  it('with a private address says so', () => {
    expect(written('{ host: 10.1.2.3, port: 22, private: true }')).toEqual([]);
  });
});

describe('bytes that a run may send', () => {
  const allowing = (upload: string) => policyOf(upload === '1GiB' ? 1 : 2, { limit: { resources: { upload } } });

  it('are the fewest that any policy says, for a run inside a run too', () => {
    const both = effectiveOf([allowing('1GiB'), allowing('2MiB')], 'linux');
    expect(both.resources.uploadBytes?.value).toBe(2 * 1024 * 1024);
    expect(enclose(effectiveOf([allowing('1GiB')], 'linux'), both).resources.uploadBytes?.value).toBe(2 * 1024 * 1024);
    expect(deltaOf(both, effectiveOf([allowing('1GiB')], 'linux')).gained).toMatchObject([{ category: 'resources', target: 'upload' }]);
    const plan = compileBubblewrap(both, { exists: () => true, isDirectory: () => true, installation: [] });
    expect(plan.egress.budget).toEqual({ upload: 2 * 1024 * 1024, download: undefined });
  });
});

describe('a company’s proxy behind the egress proxy', () => {
  it('leaves private addresses unchecked: said, and refused where a policy requires the check', () => {
    const at = (upstream: boolean, required: PolicyDocument['spec']['required']) =>
      compileBubblewrap(effectiveOf([policyOf(0, { required: required ?? [] })], 'linux'), {
        exists: () => true,
        isDirectory: () => true,
        installation: [],
        upstream,
      });
    const found = at(true, []).controls.find(({ control }) => control === 'network.private');
    expect(found).toMatchObject({ state: 'unsupported', gap: 'wider' });
    expect(at(true, ['network.private']).unmet).toMatchObject([{ control: 'network.private' }]);
    expect(at(false, ['network.private']).unmet).toEqual([]);
  });
});
