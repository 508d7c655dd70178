/** What the signer is handed for one checkpoint: exactly the leaves that changed, or all of them when it stands elsewhere. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import type { Context, Tx } from '../context.ts';
import { approvalsFor, standingToFollow } from '../proposals/proposals.ts';
import type { CheckpointRequest, CohortChange, MemberChange, SignerHead, StandingMark } from '../signer/contract.ts';
import { standingDigest } from '../signer/standing.ts';
import type { Changes, CohortState, Published } from './published.ts';
import type { Decision } from './transition.ts';

type Leaves = Pick<CheckpointRequest, 'members' | 'cohorts' | 'bundles'>;

const memberChange = (device: string, index: number, cohort: string | undefined): MemberChange =>
  cohort === undefined ? [index, '', ''] : [index, device, cohort];
const cohortChange = ({ index, id, digest, serial }: CohortState): CohortChange => [index, id, digest, serial];

const textsOf = (published: Published, digests: ReadonlySet<string>): string[] =>
  [...digests].flatMap((digest) => published.bundles.get(digest)?.text ?? []);

/** Everything as it is in memory now. */
const allLeaves = (published: Published): Leaves => {
  const living = new Set([...published.devices.values()].map(({ cohort }) => cohort));
  const digests = new Set([...published.cohorts.values()].filter(({ id }) => living.has(id)).map(({ digest }) => digest));
  return {
    members: [...published.devices].map(([id, { index, cohort }]) => memberChange(id, index, cohort)),
    cohorts: [...published.cohorts.values()].map(cohortChange),
    bundles: textsOf(published, digests),
  };
};

/** The changes alone. They are made in memory already. */
const changedLeaves = (published: Published, { cohorts, joining, moves }: Changes): Leaves => {
  const members = new Map(joining.map(({ id, index }) => [index, memberChange(id, index, undefined)]));
  for (const { device, cohort } of moves) {
    const index = published.devices.get(device)?.index ?? 0;
    members.set(index, memberChange(device, index, cohort));
  }
  // Bundles of cohorts in which nobody was are not known to the signer, and a bundle that it knows costs little to send again.
  const entered = moves.flatMap(({ cohort }) => published.cohorts.get(cohort ?? '')?.digest ?? []);
  const digests = new Set([...cohorts.map(({ digest }) => digest), ...entered]);
  return { members: [...members.values()], cohorts: cohorts.map(cohortChange), bundles: textsOf(published, digests) };
};

/** Roots of both trees before anything is changed in them. */
export type Base = NonNullable<CheckpointRequest['base']>;
export const baseOf = (published: Published): Base => ({ members: published.members.root(), cohorts: published.tree.root() });

const isAt = (head: SignerHead, base: Base): boolean => head.members === base.members && head.cohorts === base.cohorts;

/**
 * Brings a signer to what another replica's signer has signed since. What it will not follow, it judges itself when it is asked to sign.
 * @returns where the signer stands then
 */
export const bringAlong = async (tx: Tx, context: Context): Promise<SignerHead> => {
  const { published, signer, log } = context;
  const head = await signer.head();
  const { checkpoint } = published;
  if (checkpoint === undefined || isAt(head, baseOf(published))) return head;
  if (checkpoint.epoch < head.epoch || (checkpoint.epoch === head.epoch && checkpoint.serial < head.serial)) return head;
  const known = await standingToFollow(tx, context);
  try {
    await signer.follow({ checkpoint: checkpoint.jws, ...known, ...allLeaves(published) });
  } catch (error) {
    if (!(error instanceof CordonError) || error.code === 'signer.unavailable') throw error;
    log.info({ err: error }, 'the signer does not go on from the stored checkpoint; it judges what it is asked to sign');
  }
  return signer.head();
};

/** What will be approved once this checkpoint is signed. */
const standingAfter = ({ approved, before }: SignerHead, serial: number, proposal: Decision['proposal']): StandingMark => {
  if (proposal === undefined) return { approved, before };
  const { from, to, wayBackUntil } = JSON.parse(proposal.payload) as {
    from: StandingMark['approved'];
    to: string;
    wayBackUntil: string | null;
  };
  const leadsOn = from === null ? approved === null : from.digest === approved?.digest && from.serial === approved.serial;
  // It was walked already, and the transaction after it failed.
  if (!leadsOn) return { approved, before };
  return {
    approved: { digest: to, serial },
    before: approved === null || wayBackUntil === null ? null : { digest: approved.digest, until: wayBackUntil },
  };
};

interface ToSign {
  readonly payload: CheckpointPayload;
  readonly head: SignerHead;
  /** Before the changes. */
  readonly base: Base;
  readonly changes: Changes;
  readonly decision: Decision;
}

/** The whole request. The changes are made in memory already; the payload says nothing of the standing yet. */
export const requestFor = async (tx: Tx, { published }: Context, asked: ToSign): Promise<CheckpointRequest> => {
  const { head, base, changes, decision, payload } = asked;
  const isBehind = !isAt(head, base);
  const leaves = isBehind ? allLeaves(published) : changedLeaves(published, changes);
  const concerned = isBehind
    ? [...published.cohorts.values()]
    : [...changes.cohorts, ...changes.moves.flatMap(({ cohort }) => published.cohorts.get(cohort ?? '') ?? [])];
  const claims = concerned.map(({ id, key }): [string, string[][]] => {
    const sets = decision.claims.get(key) ?? published.claims.of(key);
    return [id, sets.map((open) => [...open])];
  });
  return {
    payload: { ...payload, standing: standingDigest(standingAfter(head, payload.serial, decision.proposal)) },
    base: isBehind ? null : base,
    ...leaves,
    claims: Object.fromEntries(claims),
    approvals: await approvalsFor(tx, decision.proposal),
  };
};
