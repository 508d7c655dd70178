/** How many devices get other policies when one snapshot takes the place of another. Pure. */
import { assignmentsOf, type Snapshot } from '../publishing/cohorts.ts';

/** Policies and revisions that devices of these groups get, as one text. */
const policiesOf = ({ policies, assignments }: Snapshot, groups: ReadonlySet<string>): string => {
  const chosen = new Set(assignmentsOf(groups, assignments));
  const given = new Set(assignments.filter(({ id }) => chosen.has(id)).map(({ policyId }) => policyId));
  return policies
    .filter(({ id }) => given.has(id))
    .map(({ id, revision }) => `${id}@${revision}`)
    .sort()
    .join(' ');
};

/** @param counts devices by their combination of groups */
export const affected = (
  before: Snapshot,
  after: Snapshot,
  counts: readonly { readonly groups: readonly string[]; readonly devices: number }[],
): number =>
  counts
    .filter(({ groups }) => policiesOf(before, new Set(groups)) !== policiesOf(after, new Set(groups)))
    .reduce((sum, { devices }) => sum + devices, 0);
