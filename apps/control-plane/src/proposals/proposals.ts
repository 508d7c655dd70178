/** Proposals for publishing: what is approved now, whether one may be published, and what the signer needs to follow. */
import type { Target } from '@cordon/policy/approval/approval.ts';
import { verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { conflict, notFound } from '../errors.ts';
import { payloadOf, approvalJws, stateOf, type Lists } from './proposal.ts';
import {
  findByTarget,
  findProposal,
  markPublished,
  newestPublished,
  publishedProposals,
  supersedeOpen,
  type StoredProposal,
} from './store.ts';

export type { StoredProposal } from './store.ts';

/** A target with what its listed groups hold, as the signer is given it. */
export interface Side {
  readonly target: Target;
  readonly lists: Lists;
}

/** What people approved last in this epoch. */
export interface Approved extends Side {
  readonly proposal: string;
  readonly digest: string;
  /** Under which it came into force. */
  readonly serial: number;
  /** What was approved before it, which may come back until then. */
  readonly wayBack: (Side & { readonly until: Date }) | undefined;
}

export const newestRoot = ({ organisation, clock }: Context): Promise<TrustedRoot> =>
  verifyRootChain(organisation.roots, organisation.fingerprint, clock());

/** @returns undefined at the beginning of an epoch: nothing is approved, and only what narrows can be published */
export const readApproved = async (tx: Tx, { published, organisation: { epoch } }: Context): Promise<Approved | undefined> => {
  const id = await newestPublished(tx, epoch);
  if (id === published.approved?.proposal) return published.approved;
  const [newest, before] = await publishedProposals(tx, epoch, 2);
  published.approved = newest && {
    proposal: newest.id,
    digest: newest.digest,
    serial: newest.serial ?? 0,
    target: newest.target,
    lists: newest.lists,
    wayBack: wayBackOf(newest, before),
  };
  return published.approved;
};

const wayBackOf = (newest: StoredProposal, before: StoredProposal | undefined): Approved['wayBack'] => {
  const { wayBackUntil } = payloadOf(newest.payload);
  return before === undefined || wayBackUntil === null
    ? undefined
    : { target: before.target, lists: before.lists, until: new Date(wayBackUntil) };
};

/** @throws Refusal proposal.not-found */
export const requireProposal = async (tx: Parameters<typeof findProposal>[0], id: string): Promise<StoredProposal> => {
  const found = await findProposal(tx, id);
  if (found === undefined) throw notFound('proposal', id);
  return found;
};

/** @throws Refusal proposal.published, proposal.superseded, proposal.expired */
export const requireOpen = (proposal: StoredProposal, now: Date): void => {
  const state = stateOf(proposal, now);
  if (state === 'published')
    throw conflict('proposal.published', `proposal ${proposal.id} was published as ${proposal.changeSet ?? 'a change set'} already`);
  if (state === 'superseded')
    throw conflict(
      'proposal.superseded',
      'something else was published after this was proposed: propose the draft again (POST /proposals)',
    );
  if (state === 'expired')
    throw conflict(
      'proposal.expired',
      `this proposal's time was over at ${proposal.expiresAt.toISOString()}: propose the draft again (POST /proposals)`,
    );
};

/** Keys that signed and that the newest root still names as approvers'. */
export const signersOf = ({ signatures }: Pick<StoredProposal, 'signatures'>, root: TrustedRoot): readonly string[] =>
  signatures.map(({ kid }) => kid).filter((kid) => root.keys('approver').has(kid));

/**
 * The proposal that is to be published now.
 * @throws Refusal proposal.not-found, proposal.published, proposal.superseded, proposal.expired, proposal.unsigned
 */
export const requirePublishable = async (tx: Tx, context: Context, id: string): Promise<StoredProposal> => {
  const proposal = await requireProposal(tx, id);
  requireOpen(proposal, context.clock());
  const root = await newestRoot(context);
  const [have, need] = [signersOf(proposal, root).length, root.document.roles.approver.threshold];
  if (have < need)
    throw conflict(
      'proposal.unsigned',
      `${have} of ${need} approvers have signed this proposal: approvers sign with cordonctl approve ${id} --key FILE`,
    );
  return proposal;
};

/** An approval as the signer walks it. */
export interface Approval extends Side {
  readonly jws: string;
  /** Under which it came into force; undefined: now. */
  readonly serial: number | undefined;
}

export const approvalOf = ({ payload, signatures, target, lists, serial }: StoredProposal): Approval => ({
  jws: approvalJws(payload, signatures),
  target,
  lists,
  serial: serial ?? undefined,
});

/** Proposals are read by the page: a signer that was away for long catches up with so many. */
const MAX_WALK = 64;

/**
 * Approvals that came into force in this epoch after the one that a signer has walked last, oldest first.
 * @param digest of the target that it has; undefined: none of this epoch
 */
export const unwalked = async (tx: Tx, { organisation: { epoch } }: Context, digest: string | undefined): Promise<readonly Approval[]> => {
  const published = await publishedProposals(tx, epoch, MAX_WALK);
  const known = published.findIndex((proposal) => proposal.digest === digest);
  return published
    .slice(0, known < 0 ? published.length : known)
    .map(approvalOf)
    .reverse();
};

/** What the signer has walked and the database has not: it signed, and the transaction failed. */
export const lostProposal = async (tx: Tx, { organisation: { epoch } }: Context, digest: string): Promise<StoredProposal | undefined> => {
  const published = await publishedProposals(tx, epoch, MAX_WALK);
  return published.some((proposal) => proposal.digest === digest) ? undefined : findByTarget(tx, epoch, digest);
};

/** To be called in the transaction that publishes: what was proposed against what was in force before is no longer what anybody meant. */
export const closeProposals = async (
  tx: Tx,
  {
    proposal,
    serial,
    changeSet,
    at,
  }: { readonly proposal: StoredProposal | undefined; readonly serial: number; readonly changeSet: string; readonly at: Date },
): Promise<void> => {
  if (proposal !== undefined) await markPublished(tx, proposal.id, serial, changeSet, at);
  for (const id of await supersedeOpen(tx, proposal?.id, at))
    await appendAudit(tx, { actor: 'system', action: 'proposal.supersede', subject: id, detail: { by: changeSet }, at });
};
