/** What a publish puts in force, who is concerned by it, and what people have approved of it. */
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import type { Context, Tx } from '../context.ts';
import { notFound } from '../errors.ts';
import { approvedWith, readApproved, requirePublishable, type Approved, type StoredProposal } from '../proposals/proposals.ts';
import { placesAlike, snapshotIn, type Snapshot } from './cohorts.ts';
import { decidePlaces, type Places } from './places.ts';
import type { Published } from './published.ts';
import { anyoneWaits, findChangeSet, readDraft } from './store.ts';
import type { Decision } from './transition.ts';

/** The draft; or exactly what was proposed; or what an earlier change set put in force. */
export interface Source {
  readonly proposal?: string;
  readonly changeSet?: string;
  /** What the signer has walked already: whoever asked lost the transaction after it. */
  readonly lost?: StoredProposal;
}

/** @throws Refusal proposal.*, change-set.not-found; CordonError publish.too-large */
const sourceOf = async (
  tx: Tx,
  context: Context,
  { proposal, changeSet, lost }: Source,
): Promise<{ readonly snapshot: Snapshot; readonly proposal: StoredProposal | undefined }> => {
  const found = lost ?? (proposal === undefined ? undefined : await requirePublishable(tx, context, proposal));
  if (found !== undefined) return { snapshot: found.snapshot, proposal: found };
  if (changeSet === undefined) return { snapshot: await readDraft(tx, context.clock()), proposal: undefined };
  const earlier = await findChangeSet(tx, changeSet);
  if (earlier === null) throw notFound('change-set', changeSet);
  return { snapshot: snapshotIn(earlier.content), proposal: undefined };
};

const livingCohorts = (published: Published): Set<string> => new Set([...published.devices.values()].flatMap(({ cohort }) => cohort ?? []));

/** The cohorts that live, when it is known what all of them get: then nobody has to be looked at who does not move. */
const knownCohorts = (published: Published): ReadonlyMap<string, readonly string[]> | undefined => {
  const living = [...livingCohorts(published)].map((id) => published.cohorts.get(id));
  const known = living.flatMap((cohort) => (cohort?.assignments === undefined ? [] : [[cohort.key, cohort.assignments] as const]));
  return known.length === living.length ? new Map(known) : undefined;
};

const groupsAlike = (a: Approved, b: Approved): boolean =>
  canonicalJson(a.standing.approved?.target.groups ?? []) === canonicalJson(b.standing.approved?.target.groups ?? []);

/** When only policies changed, nobody moves: the cohorts that live are known, and no device is looked at. */
const placesFor = async (
  tx: Tx,
  context: Context,
  snapshot: Snapshot,
  before: Approved,
  approved: Approved,
  quick: boolean,
): Promise<Places> => {
  const { published } = context;
  const wanted = quick && placesAlike(snapshot, published.snapshot) ? knownCohorts(published) : undefined;
  if (wanted !== undefined && groupsAlike(before, approved) && !(await anyoneWaits(tx)))
    return { wanted, placement: new Map(), claims: published.claims.ofAll(wanted.keys()) };
  // What people approved has a place for everybody; without them those who wait may go on waiting, and all others get it or nobody does.
  const asked = before === approved ? 'waiting' : 'differing';
  return decidePlaces(tx, context, { snapshot, approved, only: undefined, asked });
};

/** @param quick whether devices may be left out of it that nobody moves @throws as sourceOf; CordonError approval.* */
export const decidePublish = async (tx: Tx, context: Context, source: Source, quick: boolean): Promise<Decision> => {
  const { snapshot, proposal } = await sourceOf(tx, context, source);
  const before = await readApproved(tx, context);
  const approved = proposal === undefined ? before : await approvedWith(tx, before, proposal);
  return { snapshot, proposal, always: 'serial', ...(await placesFor(tx, context, snapshot, before, approved, quick)) };
};
