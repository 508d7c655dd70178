/** Kinds of devices that two targets tell apart: for who must see what a change means for each of them. */
import type { ExceptionTerms } from '../document/exception.ts';
import { including } from './assigned.ts';
import type { Target } from './approval.ts';

/** A target with the members of its listed groups. */
export interface TargetSide {
  readonly target: Target;
  readonly lists: Readonly<Record<string, readonly string[]>>;
}

export interface Audience {
  /** Groups that list these devices, before and after. */
  readonly listed: { readonly before: readonly string[]; readonly after: readonly string[] };
  /** Open groups that they are put into. */
  readonly open: readonly string[];
  /** How many the lists name; undefined: any device that no list names. */
  readonly devices: number | undefined;
}

/** More open groups than this are looked at one by one, in pairs and all at once; fewer in every combination. */
const MAX_COMBINED = 4;
const MAX_PAIRED = 12;

const groupsOf = (side: TargetSide | undefined, kind: 'listed' | 'open'): readonly string[] =>
  (side?.target.groups ?? []).filter(({ members }) => members.kind === kind).map(({ group }) => group);

const subsets = (items: readonly string[]): readonly (readonly string[])[] =>
  items.reduce<readonly (readonly string[])[]>((all, item) => [...all, ...all.map((set) => [...set, item])], [[]]);

const combinations = (open: readonly string[]): readonly (readonly string[])[] => {
  if (open.length <= MAX_COMBINED) return subsets(open);
  const pairs = open.length > MAX_PAIRED ? [] : open.flatMap((a, i) => open.slice(i + 1).map((b) => [a, b]));
  return [[], ...open.map((group) => [group]), ...pairs, open];
};

/** Listed groups of every device that either side's lists name. */
const listedGroups = (side: TargetSide | undefined): ReadonlyMap<string, readonly string[]> => {
  const groups = new Map<string, string[]>();
  for (const group of groupsOf(side, 'listed'))
    for (const device of side?.lists[group] ?? []) groups.set(device, [...(groups.get(device) ?? []), group]);
  return groups;
};

/** @param before undefined: nothing was approved yet */
export const audiencesOf = (before: TargetSide | undefined, after: TargetSide): readonly Audience[] => {
  const [was, is] = [listedGroups(before), listedGroups(after)];
  const kinds = new Map<string, { listed: Audience['listed']; devices: number }>();
  for (const device of new Set([...was.keys(), ...is.keys()])) {
    const listed = { before: was.get(device) ?? [], after: is.get(device) ?? [] };
    const key = JSON.stringify(listed);
    kinds.set(key, { listed, devices: (kinds.get(key)?.devices ?? 0) + 1 });
  }
  const open = combinations([...new Set([...groupsOf(before, 'open'), ...groupsOf(after, 'open')])].sort());
  const anyOther = { listed: { before: [], after: [] }, devices: undefined };
  return [anyOther, ...kinds.values()].flatMap(({ listed, devices }) => open.map((groups) => ({ listed, devices, open: groups })));
};

/** The groups of a device, and those of every device. */
const reached = (target: Target, groups: readonly string[]): ReadonlySet<string> =>
  new Set([...groups, ...target.groups.flatMap(({ group, members }) => (members.kind === 'all' ? [group] : []))]);

/** The exceptions that a target gives a device of these groups, and that have not ended. Sorted. */
export const exceptionsFor = (target: Target | undefined, groups: readonly string[], now: Date): readonly ExceptionTerms[] => {
  if (target?.exceptions === undefined) return [];
  const own = reached(target, groups);
  return target.exceptions
    .filter(({ group, expiresAt }) => own.has(group) && Date.parse(expiresAt) > now.getTime())
    .map(({ group: _group, ...terms }) => terms);
};

/** The policies, by digest, that a target gives a device of these groups: what includes it, unless an exclusion reaches it. Sorted. */
export const policiesFor = (
  target: Target | undefined,
  groups: readonly string[],
): readonly { policy: string; digest: string; revision: number }[] => {
  if (target === undefined) return [];
  const own = reached(target, groups);
  const reaching = target.assignments.filter(({ group }) => own.has(group));
  const given = new Set(including(reaching, ({ policy }) => policy).map(({ policy }) => policy));
  return target.policies.filter(({ policy }) => given.has(policy)).map(({ policy, digest, revision }) => ({ policy, digest, revision }));
};
