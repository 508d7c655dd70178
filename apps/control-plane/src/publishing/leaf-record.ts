/** What a transition does to the two trees, into the audit log: so that every root that is signed can be made again from the log alone. */
import { LEAVES_ACTION, leafEntries, type LeafChanges } from '@cordon/policy/trust/leaf-log.ts';
import { appendAudit, hasAction } from '../audit/audit.ts';
import type { Tx } from '../context.ts';
import type { Changes, Published } from './published.ts';

/** Only what changes, in places instead of names. */
const changesOf = (published: Published, { cohorts, joining, moves }: Changes, serial: number): LeafChanges => {
  const placeOf = new Map(joining.map(({ id, index }) => [id, index]));
  const home = new Map(cohorts.map(({ id, index }) => [id, index]));
  return {
    serial,
    cohorts,
    joined: joining,
    placed: moves.flatMap(({ device, cohort }) => {
      const index = placeOf.get(device) ?? published.devices.get(device)?.index;
      return index === undefined
        ? []
        : [{ index, cohort: cohort === undefined ? undefined : (home.get(cohort) ?? published.cohorts.get(cohort)?.index) }];
    }),
  };
};

/** Everything as it is after the change: what an installation that is older than these entries begins with. */
const wholeOf = (published: Published, changes: Changes, serial: number): LeafChanges => {
  const cohorts = new Map([...published.cohorts.values(), ...changes.cohorts].map((cohort) => [cohort.id, cohort]));
  const places = new Map([...published.devices].map(([id, { index, cohort }]) => [id, { id, index, cohort }]));
  for (const { id, index } of changes.joining) places.set(id, { id, index, cohort: undefined });
  for (const { device, cohort } of changes.moves) {
    const place = places.get(device);
    if (place !== undefined) places.set(device, { ...place, cohort });
  }
  const members = [...places.values()].sort((a, b) => a.index - b.index);
  return {
    serial,
    cohorts: [...cohorts.values()].sort((a, b) => a.index - b.index),
    joined: members,
    placed: members.flatMap(({ index, cohort }) => {
      const home = cohort === undefined ? undefined : cohorts.get(cohort)?.index;
      return home === undefined ? [] : [{ index, cohort: home }];
    }),
  };
};

/** Call it before the trees are changed, and before the checkpoint, which covers the log's head. */
export const recordLeaves = async (tx: Tx, published: Published, changes: Changes, serial: number, at: Date): Promise<void> => {
  const nothing = changes.cohorts.length + changes.joining.length + changes.moves.length === 0;
  const isBegun = await hasAction(tx, LEAVES_ACTION);
  if (nothing && isBegun) return;
  const entries = leafEntries(isBegun ? changesOf(published, changes, serial) : wholeOf(published, changes, serial));
  for (const detail of entries) await appendAudit(tx, { actor: 'system', action: LEAVES_ACTION, subject: published.org, detail, at });
};
