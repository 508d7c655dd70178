/** How many devices get something else when one snapshot takes the place of another. Pure. */
import { placer, type Snapshot } from '../publishing/cohorts.ts';

/** Policies with their revisions, and exceptions, that devices of these groups get, as one text. */
const givenBy = (snapshot: Snapshot): ((groups: readonly string[]) => string) => {
  const place = placer(snapshot);
  const { policies, assignments, exceptions } = snapshot;
  return (groups) => {
    const chosen = new Set(place(groups).assignments);
    const given = new Set(assignments.filter(({ id }) => chosen.has(id)).map(({ policyId }) => policyId));
    return [
      ...policies.filter(({ id }) => given.has(id)).map(({ id, revision }) => `${id}@${revision}`),
      ...exceptions.filter(({ id }) => chosen.has(id)).map(({ id }) => id),
    ]
      .sort()
      .join(' ');
  };
};

/** @param counts devices by their combination of groups */
export const affected = (
  before: Snapshot,
  after: Snapshot,
  counts: readonly { readonly groups: readonly string[]; readonly devices: number }[],
): number => {
  const [was, is] = [givenBy(before), givenBy(after)];
  return counts.filter(({ groups }) => was(groups) !== is(groups)).reduce((sum, { devices }) => sum + devices, 0);
};
