/** A target with the members of its listed groups: checked once, then asked what a device gets. */
import type { ExceptionTerms } from '../document/exception.ts';
import { CordonError } from '../errors.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { including } from './assigned.ts';
import { membersDigest, type Target } from './approval.ts';

/** Devices of each listed group, by the group's id. */
export type Lists = Readonly<Record<string, readonly string[]>>;

export interface Approved {
  readonly target: Target;
  /** The listed groups of a device, sorted. */
  listedGroupsOf(device: string): readonly string[];
  /** Whether the target leaves it to the control plane who is in the group. */
  isOpen(group: string): boolean;
  /**
   * Exactly the revisions and exceptions that a device's bundle must hold, as their key (`givenKey`).
   * @param listed groups that list it; @param claimed open groups that it is said to be in: any other kind of group among them is passed over
   */
  prescribe(listed: readonly string[], claimed: readonly string[]): Prescription;
}

export interface Prescription {
  readonly revisions: readonly Revision[];
  readonly exceptions: readonly ExceptionTerms[];
  readonly key: string;
}

/** One revision of one policy, by what is in it. */
export interface Revision {
  readonly policy: string;
  readonly revision: number;
  /** SHA-256 of its canonical document. */
  readonly digest: string;
}

/** Equal for equal sets of revisions and exceptions, whatever their order and how they reach a device; what stands twice is told from what stands once. */
export const givenKey = (revisions: readonly Revision[], exceptions: readonly ExceptionTerms[]): string =>
  [
    ...revisions.map(({ policy, revision, digest }) => JSON.stringify([policy, revision, digest])).sort(),
    ...exceptions.map(({ id, name, expiresAt, change }) => canonicalJson({ id, name, expiresAt, change })).sort(),
  ].join('\n');

const refuse = (message: string): never => {
  throw new CordonError('approval.target', message);
};

/** Ids are printable and without spaces: joined by newlines, two lists never read alike. */
const isId = (id: string): boolean => /^[!-~]{1,64}$/.test(id);

const demandOrder = (what: string, ids: readonly string[]): void => {
  ids.forEach((id, i) => {
    if (!isId(id)) refuse(`${what} has an id that is none`);
    if (i > 0 && !((ids[i - 1] ?? '') < id)) refuse(`${what} are not sorted by id, or one stands twice`);
  });
};

/** What the schema cannot say: sorted, unique, and every name in it leads somewhere. @throws CordonError `approval.target` */
export const checkTarget = ({ policies, assignments, groups, exceptions = [] }: Target): void => {
  demandOrder(
    'policies',
    policies.map(({ policy }) => policy),
  );
  demandOrder(
    'assignments',
    assignments.map(({ assignment }) => assignment),
  );
  demandOrder(
    'groups',
    groups.map(({ group }) => group),
  );
  demandOrder(
    'exceptions',
    exceptions.map(({ id }) => id),
  );
  const [policyIds, groupIds] = [new Set(policies.map(({ policy }) => policy)), new Set(groups.map(({ group }) => group))];
  for (const { assignment, policy, group, mode } of assignments) {
    if (!groupIds.has(group)) refuse(`assignment ${assignment} is of group ${group}, which the target does not describe`);
    if (mode === 'include' && !policyIds.has(policy))
      refuse(`assignment ${assignment} is of policy ${policy}, which has no revision there`);
  }
  for (const { id, group } of exceptions)
    if (!groupIds.has(group)) refuse(`exception ${id} is for group ${group}, which the target does not describe`);
};

const checkLists = (target: Target, lists: Lists): void => {
  const listed = target.groups.flatMap(({ group, members }) => (members.kind === 'listed' ? [{ group, ...members }] : []));
  if (Object.keys(lists).length !== listed.length) refuse('the lists are not those of the listed groups');
  for (const { group, count, digest } of listed) {
    const ids = Object.hasOwn(lists, group) ? (lists[group] ?? []) : refuse(`the list of group ${group} is missing`);
    if (!ids.every(isId) || new Set(ids).size !== ids.length)
      refuse(`the list of group ${group} names a device twice, or one that is none`);
    if (ids.length !== count || membersDigest(ids) !== digest) refuse(`the list of group ${group} is not the one that the target names`);
  }
};

const groupsByDevice = (lists: Lists): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>();
  for (const group of Object.keys(lists).sort())
    for (const device of lists[group] ?? []) {
      const groups = found.get(device);
      if (groups === undefined) found.set(device, [group]);
      else groups.push(group);
    }
  return found;
};

/**
 * Makes a target ready to be asked. Nothing is believed: the lists must be those whose digests stand in the target.
 * @throws CordonError `approval.target`
 */
export const readyTarget = (target: Target, lists: Lists): Approved => {
  checkTarget(target);
  checkLists(target, lists);
  const kinds = new Map(target.groups.map(({ group, members }) => [group, members.kind]));
  const revisions = new Map(target.policies.map((revision) => [revision.policy, revision]));
  const byGroup = Map.groupBy(target.assignments, ({ group }) => group);
  const exceptionsByGroup = Map.groupBy(target.exceptions ?? [], ({ group }) => group);
  const everyone = target.groups.filter(({ members }) => members.kind === 'all').map(({ group }) => group);
  const devices = groupsByDevice(lists);
  const none: readonly string[] = [];
  const known = new Map<string, Prescription>();
  const isOpen = (group: string): boolean => kinds.get(group) === 'open';
  return {
    target,
    listedGroupsOf: (device) => devices.get(device) ?? none,
    isOpen,
    prescribe: (listed, claimed) => {
      const groups = [...new Set([...listed.filter((group) => kinds.get(group) === 'listed'), ...claimed.filter(isOpen)])].sort();
      const name = groups.join('\n');
      const found = known.get(name);
      if (found !== undefined) return found;
      const reaching = [...everyone, ...groups].flatMap((group) => byGroup.get(group) ?? []);
      const given = [...new Set(including(reaching, ({ policy }) => policy).map(({ policy }) => policy))].sort();
      const due = given.flatMap((policy) => revisions.get(policy) ?? []);
      const exceptions = [...everyone, ...groups].flatMap((group) => exceptionsByGroup.get(group) ?? []);
      const prescription = { revisions: due, exceptions, key: givenKey(due, exceptions) };
      known.set(name, prescription);
      return prescription;
    },
  };
};
