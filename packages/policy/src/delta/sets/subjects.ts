/** Subjects that stand for all others: two whom every policy's match treats alike get the same from every set. */
import type { PreparedPolicy } from '../../document/prepared.ts';
import type { OperatingSystem, Subject } from '../../effective.ts';

export interface PolicySet {
  readonly policies: readonly PreparedPolicy[];
  readonly floor: PreparedPolicy | undefined;
}

export const everyPolicy = (sets: readonly PolicySet[]): readonly PreparedPolicy[] =>
  sets.flatMap(({ policies, floor }) => (floor === undefined ? policies : [...policies, floor]));

/** A name that is not among others. */
const unlike = (stem: string, names: ReadonlySet<string>): string => {
  let name = stem;
  for (let i = 0; names.has(name); i += 1) name = `${stem}-${i}`;
  return name;
};

/** Of names that the same lists hold the first; one that no list names stands for all such. */
const representatives = (lists: readonly ReadonlySet<string>[], stem: string): readonly string[] => {
  const named = new Set(lists.flatMap((list) => [...list]));
  named.delete('*');
  const different = [...new Map(lists.map((list) => [[...list].sort().join('\n'), list])).values()];
  const byLists = new Map<string, string>();
  for (const name of [unlike(stem, named), ...[...named].sort()]) {
    const signature = different.map((list) => (list.has(name) ? '1' : '0')).join('');
    if (!byLists.has(signature)) byLists.set(signature, name);
  }
  return [...byLists.values()];
};

const SYSTEMS: readonly OperatingSystem[] = ['linux', 'macos', 'windows'];

/** Every agent that policies tell apart, proven and claimed, of every such user, on every system. */
export const subjectsOf = (sets: readonly PolicySet[]): readonly Subject[] => {
  const policies = everyPolicy(sets);
  const agents = representatives(
    policies.map(({ match }) => match.agents),
    'some-agent',
  );
  const users = representatives(
    policies.map(({ match }) => match.users),
    'some-user',
  );
  return SYSTEMS.flatMap((os) =>
    users.flatMap((user) =>
      (['proven', 'claimed'] as const).flatMap((proof) => agents.map((id): Subject => ({ agent: { id, proof }, user, os }))),
    ),
  );
};
