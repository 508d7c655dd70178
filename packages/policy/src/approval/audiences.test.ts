import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { readyTarget } from './approved.ts';
import { membersDigest, type Target, type TargetGroup } from './approval.ts';
import { audiencesOf, exceptionsFor, policiesFor, type TargetSide } from './audiences.ts';

const POLICIES = ['pol_a', 'pol_b', 'pol_c'];
const GROUPS = ['grp_1', 'grp_2', 'grp_3', 'grp_4', 'grp_all'];
const DEVICES = ['dev_1', 'dev_2', 'dev_3'];

const END = '2026-06-03T00:00:00.000Z';
const NOW = new Date('2026-06-02T00:00:00.000Z');
const side = fc
  .record({
    kinds: fc.tuple(...GROUPS.slice(0, 4).map(() => fc.constantFrom('listed' as const, 'open' as const))),
    members: fc.tuple(...GROUPS.slice(0, 4).map(() => fc.subarray(DEVICES))),
    digests: fc.tuple(...POLICIES.map(() => fc.constantFrom('1', '2'))),
    assignments: fc.uniqueArray(
      fc.record({
        policy: fc.constantFrom(...POLICIES),
        group: fc.constantFrom(...GROUPS),
        mode: fc.constantFrom('include' as const, 'exclude' as const),
      }),
      { selector: ({ policy, group }) => `${policy} ${group}`, maxLength: 8 },
    ),
    exceptions: fc.array(fc.constantFrom(...GROUPS), { maxLength: 2 }).map((groups) =>
      groups.map((group, i) => ({
        id: `exc_${i}`,
        name: 'x',
        group,
        expiresAt: END,
        change: { kind: 'allow' as const, allow: { network: { hosts: [{ host: `e${i}.example.com` }] } } },
      })),
    ),
  })
  .map(({ kinds, members, digests, assignments, exceptions }): TargetSide => {
    const groups = GROUPS.map((group, i): TargetGroup => {
      const list = members[i] ?? [];
      if (i === 4) return { group, members: { kind: 'all' } };
      return kinds[i] === 'open'
        ? { group, members: { kind: 'open' } }
        : { group, members: { kind: 'listed', count: list.length, digest: membersDigest(list) } };
    });
    const target: Target = {
      format: 'cordon-target/1',
      policies: POLICIES.map((policy, i) => ({ policy, revision: 1, digest: (digests[i] ?? '').repeat(64) })),
      assignments: assignments.map((one, i) => ({ assignment: `asg_${i}`, ...one })),
      groups,
    };
    const lists = groups.flatMap(({ group, members: { kind } }, i) => (kind === 'listed' ? [[group, members[i] ?? []] as const] : []));
    return { target: exceptions.length === 0 ? target : { ...target, exceptions }, lists: Object.fromEntries(lists) };
  });

const subsets = (items: readonly string[]): string[][] =>
  items.reduce<string[][]>((all, item) => [...all, ...all.map((set) => [...set, item])], [[]]);
const listedIn = ({ lists }: TargetSide, device: string): string[] => Object.keys(lists).filter((group) => lists[group]?.includes(device));
const openIn = ({ target }: TargetSide, groups: readonly string[]): string[] =>
  target.groups.flatMap(({ group, members }) => (members.kind === 'open' && groups.includes(group) ? [group] : []));

describe('the policies and exceptions that a target gives', () => {
  it('are those that the judge prescribes, for every device and every set of open groups', { timeout: LAW_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(side, fc.constantFrom(...DEVICES, 'dev_other'), fc.subarray(GROUPS), (one, device, groups) => {
        const listed = listedIn(one, device);
        const open = openIn(one, groups);
        const { revisions, exceptions } = readyTarget(one.target, one.lists).prescribe(listed, open);
        expect(policiesFor(one.target, [...listed, ...open])).toEqual(revisions);
        const ids = (given: readonly { readonly id: string }[]): string[] => given.map(({ id }) => id).sort();
        expect(ids(exceptionsFor(one.target, [...listed, ...open], NOW))).toEqual(ids(exceptions));
        // What has ended gives nothing, whoever approved it.
        expect(exceptionsFor(one.target, [...listed, ...open], new Date(END))).toEqual([]);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('are none without a target', () => expect(policiesFor(undefined, GROUPS)).toEqual([]));
});

describe('the audiences of a change', () => {
  it('have among them each device in each set of open groups, with exactly what it had and gets', () => {
    fc.assert(
      fc.property(side, side, (before, after) => {
        const audiences = audiencesOf(before, after);
        for (const device of [...DEVICES, 'dev_other'])
          for (const groups of subsets(GROUPS.slice(0, 4))) {
            const of = (one: TargetSide): string =>
              JSON.stringify(policiesFor(one.target, [...listedIn(one, device), ...openIn(one, groups)]));
            const told = audiences.some(
              ({ listed, open }) =>
                JSON.stringify(policiesFor(before.target, [...listed.before, ...openIn(before, open)])) === of(before) &&
                JSON.stringify(policiesFor(after.target, [...listed.after, ...openIn(after, open)])) === of(after),
            );
            expect(told).toBe(true);
          }
      }),
      { numRuns: Math.min(LAW_RUNS, 400) },
    );
  });

  it(
    'count each listed device once for each set of open groups, and say of no other how many there are',
    { timeout: LAW_TIMEOUT_MS },
    () => {
      fc.assert(
        fc.property(side, side, (before, after) => {
          const listed = new Set([before, after].flatMap(({ lists }) => Object.values(lists).flat()));
          const counted = audiencesOf(before, after).filter(({ open }) => open.length === 0);
          expect(counted.reduce((sum, { devices = 0 }) => sum + devices, 0)).toBe(listed.size);
          expect(counted.filter(({ devices }) => devices === undefined)).toHaveLength(1);
        }),
        { numRuns: LAW_RUNS },
      );
    },
  );

  it('stay few enough to be looked at where there are many open groups', () => {
    const groups = Array.from({ length: 200 }, (_, i): TargetGroup => ({
      group: `grp_${String(i).padStart(3, '0')}`,
      members: { kind: 'open' },
    }));
    const after: TargetSide = { target: { format: 'cordon-target/1', policies: [], assignments: [], groups }, lists: {} };
    const audiences = audiencesOf(undefined, after);
    expect(audiences).toHaveLength(202);
    expect(audiences.at(-1)?.open).toHaveLength(200);
  });
});
