import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { bundleBytes } from '@cordon/policy/trust/bundle.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignmentsOf,
  cohortKey,
  contentOf,
  EMPTY_SNAPSHOT,
  placer,
  placesAlike,
  type PublishedAssignment,
  type PublishedPolicy,
  type Snapshot,
} from './cohorts.ts';

const GROUPS = ['grp_all', 'grp_a', 'grp_b', 'grp_c'];
const POLICIES = ['pol_1', 'pol_2', 'pol_3'];

/** At most one assignment of a policy to a group, as the database has it. */
const assignments: fc.Arbitrary<PublishedAssignment[]> = fc
  .uniqueArray(fc.record({ policyId: fc.constantFrom(...POLICIES), groupId: fc.constantFrom(...GROUPS), exclude: fc.boolean() }), {
    selector: ({ policyId, groupId }) => `${policyId} ${groupId}`,
  })
  .map((rows) =>
    rows.map(({ policyId, groupId, exclude }) => ({
      id: `asg_${policyId}_${groupId}`,
      policyId,
      groupId,
      groupName: groupId.toUpperCase(),
      everyone: groupId === 'grp_all',
      mode: exclude ? 'exclude' : 'include',
    })),
  );
const groups = fc.subarray(GROUPS.slice(1));
const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> => fc.shuffledSubarray([...items], { minLength: items.length });
const law = <T extends [unknown, ...unknown[]]>(
  name: string,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...args: T) => void,
): void =>
  it(name, () =>
    fc.assert(
      fc.property(fc.tuple<T>(...arbitraries), (args) => holds(...args)),
      { numRuns: LAW_RUNS },
    ),
  );

/** The same, thought anew for each policy on its own, slowly. */
const reference = (memberOf: readonly string[], all: readonly PublishedAssignment[]): string[] => {
  const reaches = ({ groupId }: PublishedAssignment): boolean => groupId === 'grp_all' || memberOf.includes(groupId);
  const got: string[] = [];
  for (const one of all) {
    if (one.mode === 'exclude' || !reaches(one)) continue;
    let excluded = false;
    for (const other of all) if (other.mode === 'exclude' && other.policyId === one.policyId && reaches(other)) excluded = true;
    if (!excluded) got.push(one.id);
  }
  return got.sort();
};

const document = (name: string): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name },
  spec: { deny: { filesystem: { access: ['${home}/.ssh'] } } },
});
const snapshotOf = (all: readonly PublishedAssignment[], revision = 1): Snapshot => ({
  policies: POLICIES.map((id): PublishedPolicy => ({ id, name: `name of ${id}`, revision })),
  assignments: all,
  exceptions: [],
});

describe('which assignments reach a device', () => {
  law('is what a slow reference says', [groups, assignments], (memberOf, all) => {
    expect(assignmentsOf(new Set(memberOf), all)).toEqual(reference(memberOf, all));
  });
  law(
    'does not depend on any order',
    [groups, assignments.chain((all) => fc.tuple(fc.constant(all), shuffled(all)))],
    (memberOf, [all, other]) => {
      expect(assignmentsOf(new Set(memberOf.toReversed()), other)).toEqual(assignmentsOf(new Set(memberOf), all));
    },
  );
  law('exclusion wins: whatever else includes it, an excluded policy is not got', [groups, assignments], (memberOf, all) => {
    const got = new Set(assignmentsOf(new Set(memberOf), all));
    for (const { mode, policyId, groupId, everyone } of all) {
      if (mode !== 'exclude' || !(everyone || memberOf.includes(groupId))) continue;
      expect(all.filter(({ id, policyId: other }) => got.has(id) && other === policyId)).toEqual([]);
    }
  });
  law('one more exclusion never gives anything', [groups, assignments, fc.constantFrom(...POLICIES)], (memberOf, all, policyId) => {
    const more: PublishedAssignment = { id: 'asg_more', policyId, groupId: 'grp_all', groupName: '', everyone: true, mode: 'exclude' };
    const got = new Set(assignmentsOf(new Set(memberOf), all));
    for (const id of assignmentsOf(new Set(memberOf), [...all, more])) expect(got).toContain(id);
  });
});

describe('a cohort', () => {
  law(
    'is placed by the placer as by its definition, the second time as the first',
    [fc.array(groups, { maxLength: 6 }), assignments],
    (devices, all) => {
      const place = placer(snapshotOf(all));
      for (const memberOf of [...devices, ...devices]) {
        const expected = assignmentsOf(new Set(memberOf), all);
        expect(place(memberOf.toSorted())).toEqual({ key: cohortKey(expected), assignments: expected });
      }
    },
  );
  law(
    'has one key for one set of assignments, in whatever order, and another for any other',
    [assignments, groups, groups],
    (all, a, b) => {
      const [one, other] = [assignmentsOf(new Set(a), all), assignmentsOf(new Set(b), all)];
      expect(cohortKey(one) === cohortKey(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      expect(cohortKey(one.toReversed())).toBe(cohortKey(one));
    },
  );
  law('keeps its key when only revisions change', [assignments, groups], (all, memberOf) => {
    const [first, second] = [snapshotOf(all, 1), snapshotOf(all, 2)];
    expect(placer(second)(memberOf).key).toBe(placer(first)(memberOf).key);
    expect(placesAlike(first, second)).toBe(true);
  });
  law('may hold other devices as soon as an assignment differs', [assignments], (all) => {
    for (const [i, one] of all.entries()) {
      expect(placesAlike(snapshotOf(all), snapshotOf(all.toSpliced(i, 1)))).toBe(false);
      const turned: PublishedAssignment = { ...one, mode: one.mode === 'include' ? 'exclude' : 'include' };
      expect(placesAlike(snapshotOf(all), snapshotOf(all.with(i, turned)))).toBe(false);
    }
    expect(placesAlike(snapshotOf(all), snapshotOf(all.toReversed()))).toBe(true);
  });
});

describe("a cohort's bundle", () => {
  law('is empty without assignments: nothing launches, nothing is allowed', [assignments], (all) => {
    expect(contentOf([], snapshotOf(all), () => document('x')).policies).toEqual([]);
    expect(contentOf([], EMPTY_SNAPSHOT, () => document('x'))).toEqual({
      format: 'cordon-bundle/1',
      language: 'cordon/v1',
      policies: [],
      exceptions: [],
    });
  });
  law('has the same bytes in whatever order assignments and policies come', [assignments, groups], (all, memberOf) => {
    const chosen = assignmentsOf(new Set(memberOf), all);
    const { policies } = snapshotOf(all);
    const bytes = bundleBytes(contentOf(chosen, snapshotOf(all), ({ name }) => document(name)));
    const turned = { policies: policies.toReversed(), assignments: all.toReversed(), exceptions: [] };
    expect(bundleBytes(contentOf(chosen.toReversed(), turned, ({ name }) => document(name)))).toBe(bytes);
  });
  law('holds each policy once, with every assignment that brings it and no other', [assignments, groups], (all, memberOf) => {
    const chosen = assignmentsOf(new Set(memberOf), all);
    const { policies } = contentOf(chosen, snapshotOf(all), ({ name }) => document(name));
    expect(policies.flatMap(({ because }) => because.map(({ assignment }) => assignment)).sort()).toEqual([...chosen]);
    expect(new Set(policies.map(({ policy }) => policy)).size).toBe(policies.length);
    for (const { policy, because } of policies)
      for (const { assignment } of because) expect(all.find(({ id }) => id === assignment)?.policyId).toBe(policy);
  });
  it('is not made without the document of a revision', () => {
    const one: PublishedAssignment = { id: 'asg_1', policyId: 'pol_1', groupId: 'grp_a', groupName: 'A', everyone: false, mode: 'include' };
    expect(() => contentOf(['asg_1'], snapshotOf([one]), () => undefined)).toThrow(
      expect.objectContaining({ code: 'publish.document-missing' }),
    );
  });
});
