/** Files that were used, as rules: the file, or the highest folder in which many different names were used and which a rule may name. */
import type { Access } from '../decide/paths.ts';
import { textAt, type Place } from './place.ts';
import type { WithheldReason } from './proposal.ts';
import type { Seen } from './tally.ts';

export interface FileAttempt extends Seen {
  readonly place: Place;
  readonly access: Access;
}

type Unfit = (place: Place, length: number) => WithheldReason | undefined;

export interface FileRules {
  readonly write: readonly string[];
  readonly read: readonly string[];
  readonly withheld: readonly { readonly attempt: FileAttempt; readonly reason: WithheldReason }[];
}

/** How many different names were used directly in each folder. */
const namesIn = (attempts: readonly FileAttempt[]): ReadonlyMap<string, ReadonlySet<string>> => {
  const names = new Map<string, Set<string>>();
  for (const { place } of attempts)
    place.segments.forEach((name, length) => {
      const folder = textAt(place, length);
      const known = names.get(folder);
      if (known === undefined) names.set(folder, new Set([name]));
      else known.add(name);
    });
  return names;
};

interface Options {
  readonly minDevices: number;
  readonly minSiblings: number;
  readonly unfit: Unfit;
}

/** The rules of one access, from attempts that no other rule allows. */
const propose = (
  attempts: readonly FileAttempt[],
  { minDevices, minSiblings, unfit }: Options,
): Omit<FileRules, 'read' | 'write'> & { readonly rules: readonly string[] } => {
  const names = namesIn(attempts);
  const ruleFor = (place: Place): { readonly rule: string } | { readonly reason: WithheldReason } => {
    for (let length = 0; length < place.segments.length; length += 1) {
      const folder = textAt(place, length);
      if ((names.get(folder)?.size ?? 0) >= minSiblings && unfit(place, length) === undefined) return { rule: folder };
    }
    const reason = unfit(place, place.segments.length);
    return reason === undefined ? { rule: textAt(place, place.segments.length) } : { reason };
  };
  const found = attempts.map((attempt) => ({ attempt, found: ruleFor(attempt.place) }));
  const byRule = Map.groupBy(
    found.flatMap(({ attempt, found: one }) => ('rule' in one ? [{ attempt, rule: one.rule }] : [])),
    ({ rule }) => rule,
  );
  const groups = [...byRule].map(([rule, group]) => ({
    rule,
    group,
    enough: new Set(group.flatMap(({ attempt }) => [...attempt.devices])).size >= minDevices,
  }));
  return {
    rules: groups.filter(({ enough }) => enough).map(({ rule }) => rule),
    withheld: [
      ...found.flatMap(({ attempt, found: one }) => ('reason' in one ? [{ attempt, reason: one.reason }] : [])),
      ...groups.flatMap(({ enough, group }) =>
        enough ? [] : group.map(({ attempt }) => ({ attempt, reason: 'too-few-devices' as const })),
      ),
    ],
  };
};

/** Writing includes reading, so what is read where writing is proposed needs no rule. */
export const proposeFiles = (attempts: readonly FileAttempt[], options: Options): FileRules => {
  const writes = propose(
    attempts.filter(({ access }) => access === 'write'),
    options,
  );
  const written = new Set(writes.rules);
  const isWritten = ({ place }: FileAttempt): boolean => {
    for (let length = 0; length <= place.segments.length; length += 1) if (written.has(textAt(place, length))) return true;
    return false;
  };
  const reads = propose(
    attempts.filter((attempt) => attempt.access === 'read' && !isWritten(attempt)),
    options,
  );
  return { write: writes.rules, read: reads.rules, withheld: [...writes.withheld, ...reads.withheld] };
};
