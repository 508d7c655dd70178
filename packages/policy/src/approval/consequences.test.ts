import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../document/parse.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { documentDigest } from '../trust/bundle.ts';
import { membersDigest, type Target } from './approval.ts';
import { consequencesOf } from './consequences.ts';
import type { TargetSide } from './audiences.ts';

const policy = (name: string, spec: string): PolicyDocument =>
  parsePolicy(`apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: ${name} }\nspec:\n${spec}\n`).document;
const allow = (name: string, ...hosts: readonly string[]): PolicyDocument =>
  policy(name, `  allow: { network: { hosts: [${hosts.map((host) => `{ host: ${host} }`).join(', ')}] } }`);
const deny = policy('deny', '  deny: { network: { hosts: [{ host: evil.example.com }] } }');

const documents = new Map<string, PolicyDocument>();
const sideOf = (
  policies: Readonly<Record<string, PolicyDocument>>,
  assignments: readonly (readonly [policy: string, group: string, mode?: 'exclude'])[],
  lists: Readonly<Record<string, readonly string[]>> = {},
  open: readonly string[] = [],
): TargetSide => {
  for (const document of Object.values(policies)) documents.set(documentDigest(document), document);
  const target: Target = {
    format: 'cordon-target/1',
    policies: Object.entries(policies).map(([id, document]) => ({ policy: id, revision: 1, digest: documentDigest(document) })),
    assignments: assignments.map(([id, group, mode], i) => ({
      assignment: `asg_${i}`,
      policy: id,
      group,
      mode: mode ?? ('include' as const),
    })),
    groups: [
      { group: 'grp_all', members: { kind: 'all' } },
      ...Object.entries(lists).map(([group, ids]) => ({
        group,
        members: { kind: 'listed' as const, count: ids.length, digest: membersDigest(ids) },
      })),
      ...open.map((group) => ({ group, members: { kind: 'open' as const } })),
    ],
  };
  return { target, lists };
};
const NOW = new Date('2026-06-02T00:00:00.000Z');
const consequences = (before: TargetSide | undefined, after: TargetSide) =>
  consequencesOf(before, after, (digest) => documents.get(digest), NOW);

describe('what an approval means', () => {
  it('is nothing where nobody gets other policies', () => {
    const one = sideOf({ pol_a: allow('a', 'a.example.com') }, [['pol_a', 'grp_all']]);
    expect(consequences(one, one)).toEqual({ changes: [], untold: 0 });
  });

  it('is a gain, with what is gained, where a host comes; and only a loss where one goes', () => {
    const [less, more] = [['a.example.com'], ['a.example.com', 'b.example.com']].map((hosts) =>
      sideOf({ pol_a: allow('a', ...hosts) }, [['pol_a', 'grp_all']]),
    );
    if (less === undefined || more === undefined) throw new Error('unreachable');
    const wider = consequences(less, more).changes;
    expect(wider).toHaveLength(1);
    expect(wider[0]?.verdict.verdict).toBe('no');
    expect(wider[0]?.example.gained.map(({ target }) => target)).toEqual(['b.example.com:443']);
    const narrower = consequences(more, less).changes;
    expect(narrower[0]).toMatchObject({ verdict: { verdict: 'yes' }, example: { gained: [], lost: [{ target: 'b.example.com:443' }] } });
  });

  it('is all of it at the beginning of an epoch', () => {
    const { changes } = consequences(undefined, sideOf({ pol_a: allow('a', 'a.example.com') }, [['pol_a', 'grp_all']]));
    expect(changes[0]).toMatchObject({ before: [], after: ['pol_a'], verdict: { verdict: 'no' }, audiences: [{ devices: undefined }] });
    expect(changes[0]?.example.gained.map(({ category }) => category)).toContain('launch');
  });

  it('is told for those whom it concerns, and for nobody else', () => {
    const policies = { pol_a: allow('a', 'a.example.com'), pol_s: allow('s', 's.example.com') };
    const assigned = [
      ['pol_a', 'grp_all'],
      ['pol_s', 'grp_servers'],
    ] as const;
    const { changes } = consequences(
      sideOf(policies, assigned, { grp_servers: ['dev_1'] }),
      sideOf(policies, assigned, { grp_servers: ['dev_1', 'dev_2'] }),
    );
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({
      audiences: [{ listed: { before: [], after: ['grp_servers'] }, open: [], devices: 1 }],
      verdict: { verdict: 'no' },
    });
  });

  it('is a gain for any device when a listed group is opened', () => {
    const policies = { pol_s: allow('s', 's.example.com') };
    const { changes } = consequences(
      sideOf(policies, [['pol_s', 'grp_s']], { grp_s: ['dev_1'] }),
      sideOf(policies, [['pol_s', 'grp_s']], {}, ['grp_s']),
    );
    const gained = changes.filter(({ verdict }) => verdict.verdict === 'no').flatMap(({ audiences }) => audiences);
    expect(gained).toContainEqual({ listed: { before: [], after: [] }, open: ['grp_s'], devices: undefined });
  });

  it('is a gain where a deny no longer reaches somebody', () => {
    const policies = { pol_a: allow('a', '"*"'), pol_d: deny };
    const everyone = [
      ['pol_a', 'grp_all'],
      ['pol_d', 'grp_all'],
    ] as const;
    const { changes } = consequences(
      sideOf(policies, everyone, {}, ['grp_o']),
      sideOf(policies, [...everyone, ['pol_d', 'grp_o', 'exclude']], {}, ['grp_o']),
    );
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({ audiences: [{ open: ['grp_o'] }], after: ['pol_a'], verdict: { verdict: 'no' } });
    expect(changes[0]?.example.gained.some(({ target }) => target.includes('evil.example.com'))).toBe(true);
  });

  it('cannot be told without a document', () => {
    const after = sideOf({ pol_a: allow('a', 'unknown.example.com') }, [['pol_a', 'grp_all']]);
    expect(() => consequencesOf(undefined, after, () => undefined, NOW)).toThrow(
      expect.objectContaining({ code: 'approval.document-missing' }),
    );
  });

  it('says how much it does not tell', () => {
    const names = Array.from({ length: 60 }, (_, i) => `p${i}`);
    const policies = Object.fromEntries(names.map((name) => [`pol_${name}`, allow(name, `${name}.example.com`)]));
    const lists = Object.fromEntries(names.map((name) => [`grp_${name}`, [`dev_${name}`]]));
    const { changes, untold } = consequences(
      undefined,
      sideOf(
        policies,
        names.map((name) => [`pol_${name}`, `grp_${name}`] as const),
        lists,
      ),
    );
    expect([changes.length, untold]).toEqual([50, 10]);
  });
});
