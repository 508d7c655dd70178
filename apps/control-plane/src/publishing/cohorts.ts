/** Which assignments reach a device, which devices are therefore alike (a cohort), and what a cohort's bundle holds. Pure. */
import { including } from '@cordon/policy/approval/assigned.ts';
import type { AppliedPolicy, Because, BundleContent } from '@cordon/policy/effective.ts';
import type { Exception, ExceptionTerms } from '@cordon/policy/document/exception.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';

export interface PublishedAssignment {
  readonly id: string;
  readonly policyId: string;
  readonly groupId: string;
  readonly groupName: string;
  /** The built-in group of every device: it has no member rows. */
  readonly everyone: boolean;
  readonly mode: 'include' | 'exclude';
}

export interface PublishedPolicy {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
}

/** A device is a group of itself: then `groupId` is its id. */
export interface PublishedException extends ExceptionTerms {
  readonly groupId: string;
  readonly groupName: string;
  readonly everyone: boolean;
}

/** What a change set puts in force. Immutable once published; documents are found by policy and revision. */
export interface Snapshot {
  readonly policies: readonly PublishedPolicy[];
  readonly assignments: readonly PublishedAssignment[];
  readonly exceptions: readonly PublishedException[];
}

/** As it was stored: what is older than exceptions has none. */
export type StoredSnapshot = Omit<Snapshot, 'exceptions'> & Partial<Pick<Snapshot, 'exceptions'>>;
export const snapshotIn = ({ policies, assignments, exceptions = [] }: StoredSnapshot): Snapshot => ({ policies, assignments, exceptions });

export const EMPTY_SNAPSHOT: Snapshot = { policies: [], assignments: [], exceptions: [] };

/**
 * The including assignments of a device in these groups, sorted by id. Exclusion wins: a policy that any exclusion names is not got,
 * whatever includes it.
 */
export const assignmentsOf = (groups: ReadonlySet<string>, assignments: readonly PublishedAssignment[]): readonly string[] => {
  const reaching = assignments.filter((assignment) => assignment.everyone || groups.has(assignment.groupId));
  return including(reaching, ({ policyId }) => policyId)
    .map(({ id }) => id)
    .sort();
};

/** Stable across revisions: only the set of assignments and exceptions counts. */
export const cohortKey = (given: readonly string[]): string => sha256Hex(given.toSorted().join('\n'));

const byGroup = <T extends { readonly groupId: string; readonly everyone: boolean }>(items: readonly T[]) => {
  const everyone = items.filter((item) => item.everyone);
  const groups = Map.groupBy(
    items.filter((item) => !item.everyone),
    ({ groupId }) => groupId,
  );
  return (own: ReadonlySet<string>): readonly T[] => [...everyone, ...[...own].flatMap((group) => groups.get(group) ?? [])];
};

/**
 * Devices are placed by their groups; equal groups are judged once, and only what reaches one of the groups is looked at.
 * @returns `assignments`: ids of assignments and of exceptions
 */
export const placer = ({
  assignments,
  exceptions,
}: Pick<Snapshot, 'assignments' | 'exceptions'>): ((groups: readonly string[]) => {
  readonly key: string;
  readonly assignments: readonly string[];
}) => {
  const known = new Map<string, { key: string; assignments: readonly string[] }>();
  const [assigned, excepted] = [byGroup(assignments), byGroup(exceptions)];
  return (groups) => {
    const name = groups.join('\n');
    const found = known.get(name);
    if (found !== undefined) return found;
    const own = new Set(groups);
    const set = [...assignmentsOf(own, assigned(own)), ...excepted(own).map(({ id }) => id)].sort();
    const place = { key: cohortKey(set), assignments: set };
    known.set(name, place);
    return place;
  };
};

/**
 * The bundle of a cohort: each policy once, with every assignment that brings it, and the exceptions. No assignment: no policy, and nothing launches.
 * @param assignments ids of assignments and of exceptions
 * @throws CordonError publish.document-missing
 */
export const contentOf = (
  assignments: readonly string[],
  snapshot: Snapshot,
  documentOf: (policy: PublishedPolicy) => PolicyDocument | undefined,
): BundleContent => {
  const chosen = new Set(assignments);
  const because = Map.groupBy(
    snapshot.assignments.filter(({ id }) => chosen.has(id)),
    ({ policyId }) => policyId,
  );
  const policies = snapshot.policies.flatMap((policy): AppliedPolicy[] => {
    const reasons = because.get(policy.id);
    if (reasons === undefined) return [];
    const document = documentOf(policy);
    if (document === undefined)
      throw new CordonError(
        'publish.document-missing',
        `revision ${policy.revision} of policy ${policy.name} is not in the database; restore it or publish another`,
      );
    const why = reasons
      .map(({ id, groupId, groupName }): Because => ({ assignment: id, group: groupId, groupName }))
      .sort((a, b) => (a.assignment < b.assignment ? -1 : 1));
    return [{ policy: policy.id, name: policy.name, revision: policy.revision, document, because: why }];
  });
  return {
    format: 'cordon-bundle/1',
    language: 'cordon/v1',
    policies: policies.sort((a, b) => (a.policy < b.policy ? -1 : 1)),
    exceptions: snapshot.exceptions
      .filter(({ id }) => chosen.has(id))
      .map(({ id, name, expiresAt, change, groupId, groupName }): Exception => ({
        id,
        name,
        expiresAt,
        change,
        because: [{ assignment: id, group: groupId, groupName }],
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
};

/** Whether two snapshots place every device alike; only what is in the policies may differ. */
export const placesAlike = (a: Snapshot, b: Snapshot): boolean => {
  const shape = ({ assignments, exceptions }: Snapshot): string =>
    [
      ...assignments.map(({ id, policyId, groupId, groupName, mode, everyone }) =>
        JSON.stringify([id, policyId, groupId, groupName, mode, everyone]),
      ),
      ...exceptions.map((exception) => canonicalJson(exception)),
    ]
      .sort()
      .join('\n');
  return shape(a) === shape(b);
};

/** Whether they put the same revisions in force for the same groups. */
export const sameSnapshot = (a: Snapshot, b: Snapshot): boolean => {
  const revisions = ({ policies }: Snapshot): string =>
    policies
      .map(({ id, revision }) => `${id}@${revision}`)
      .sort()
      .join('\n');
  return placesAlike(a, b) && revisions(a) === revisions(b);
};
