/**
 * Where devices belong: where their groups put them, when that takes nothing but power or was approved; otherwise where the approved target puts them. So
 * one device that nobody has approved yet keeps none of the others from what they are to get.
 */
import type { Context, Tx } from '../context.ts';
import type { Approved } from '../proposals/proposals.ts';
import { loadDocuments } from './bundles.ts';
import { cohortKey, placer, type Snapshot } from './cohorts.ts';
import { createLooks } from './looks.ts';
import type { CohortState } from './published.ts';
import { livingExceptions, readDeviceGroups, writeAwaiting } from './store.ts';
import type { Decision } from './transition.ts';

/** Where a device may be put. */
export interface Place {
  readonly key: string;
  readonly assignments: readonly string[];
}

export interface Places extends Pick<Decision, 'placement' | 'wanted'> {
  /** For each cohort the sets of open groups that its devices are in, by the cohort's key. */
  readonly claims: ReadonlyMap<string, readonly (readonly string[])[]>;
}

/**
 * Of whom it is asked whether the place that its groups give it may be had; of all others it is for the signer to say.
 * - `moving`: whoever would change its cohort. What is published stays as it is, so nobody else is concerned.
 * - `waiting`: whoever waits for an approval already, or has no place. All others stand or fall with what is being published.
 * - `differing`: whoever is in other groups than those that are approved now.
 */
export type Asked = 'moving' | 'waiting' | 'differing';

interface Question {
  readonly snapshot: Snapshot;
  readonly approved: Approved;
  /** Undefined: all devices. */
  readonly only: readonly string[] | undefined;
  readonly asked: Asked;
}

const NOWHERE: Place = { key: cohortKey([]), assignments: [] };

const waits = (why: string): string => `${why}: it gets what its groups give when a proposal that has it there is approved and published`;

/** Reads groups, decides, and writes down who waits and why; all in the caller's transaction. */
export const decidePlaces = async (tx: Tx, context: Context, { snapshot, approved, only, asked }: Question): Promise<Places> => {
  const { published } = context;
  const { standing } = approved;
  // What was ended or has run out is not in force any more, whatever was published: a device that moves leaves it behind.
  const living = await livingExceptions(
    tx,
    snapshot.exceptions.map(({ id }) => id),
    context.clock(),
  );
  const exceptions = snapshot.exceptions.filter(({ id }) => living.has(id));
  const named = [...snapshot.assignments, ...exceptions].filter(({ everyone }) => !everyone);
  const groups = [...new Set(named.map(({ groupId }) => groupId))];
  const devices = await readDeviceGroups(tx, groups, only);
  await loadDocuments(tx, published, snapshot);
  const place = placer({ assignments: snapshot.assignments, exceptions });
  const look = createLooks(context, snapshot, approved);
  const known = new Set(groups);
  const placement = new Map<string, string | undefined>();
  const wanted = new Map<string, readonly string[]>();
  const waiting = new Map<string, string | null>();

  const isAsked = (has: CohortState | undefined, isWaiting: boolean, asItIs: Place, asApproved: Place): boolean => {
    if (asked === 'moving') return has?.key !== asItIs.key;
    return asked === 'waiting' ? isWaiting || has === undefined : asItIs.key !== asApproved.key;
  };
  for (const { id, groups: own, revoked, quarantined, awaiting } of devices) {
    if (revoked) {
      placement.set(id, undefined);
      if (awaiting !== null) waiting.set(id, null);
      continue;
    }
    const open = own.filter((group) => standing.approved?.isOpen(group) ?? false);
    if (quarantined) {
      placement.set(id, NOWHERE.key);
      wanted.set(NOWHERE.key, NOWHERE.assignments);
      published.claims.note(NOWHERE.key, open);
      continue;
    }
    const listed = (standing.approved?.listedGroupsOf(id) ?? []).filter((group) => known.has(group));
    const has = published.cohorts.get(published.devices.get(id)?.cohort ?? '');
    const [asItIs, asApproved] = [place(own), place([...listed, ...open].sort())];
    let [chosen, why]: [Place | undefined, string | null] = [asItIs, null];
    if (isAsked(has, awaiting !== null, asItIs, asApproved)) {
      const against = look(id, has, asItIs, open);
      if (against !== undefined) {
        why = waits(against);
        const holdsNothing = has === undefined || has.key === NOWHERE.key;
        const isApproved = asApproved.key !== asItIs.key && look(id, has, asApproved, open) === undefined;
        chosen = isApproved ? asApproved : holdsNothing ? NOWHERE : asked === 'moving' ? undefined : asApproved;
      }
    }
    if (why !== awaiting) waiting.set(id, why);
    // It stays where it is.
    if (chosen === undefined) continue;
    placement.set(id, chosen.key);
    wanted.set(chosen.key, chosen.assignments);
    published.claims.note(chosen.key, open);
  }
  await writeAwaiting(tx, waiting);
  return { placement, wanted, claims: published.claims.ofAll(wanted.keys()) };
};
