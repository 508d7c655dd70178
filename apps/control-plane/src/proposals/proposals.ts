/** Proposals for publishing: what is approved now, whether one may be published, and what the signer needs to follow. */
import type { Target } from '@cordon/policy/approval/approval.ts';
import { readyTarget } from '@cordon/policy/approval/approved.ts';
import { NOTHING_APPROVED, walk, type Standing } from '@cordon/policy/approval/walk.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { conflict, notFound } from '../errors.ts';
import type { ApprovalToWalk, SignerHead, StandingMark, TargetToKnow } from '../signer/contract.ts';
import { approvalJws, mutableLists, payloadOf, stateOf } from './proposal.ts';
import {
  findByTarget,
  findProposal,
  markPublished,
  newestPublished,
  publishedProposals,
  readDocuments,
  supersedeOpen,
  type StoredProposal,
} from './store.ts';

export type { StoredProposal } from './store.ts';

/** What people approved last in this epoch, ready to be asked. */
export interface Approved {
  /** The newest published proposal; undefined at the beginning of an epoch: then only what narrows can be published. */
  readonly proposal: string | undefined;
  readonly standing: Standing;
  /** Documents of both targets, by digest. */
  documentOf(digest: string): PolicyDocument | undefined;
}

export const newestRoot = ({ organisation, clock }: Context): Promise<TrustedRoot> =>
  verifyRootChain(organisation.roots, organisation.fingerprint, clock());

const standingOf = (newest: StoredProposal | undefined, before: StoredProposal | undefined): Standing => {
  if (newest === undefined) return NOTHING_APPROVED;
  const { wayBackUntil } = payloadOf(newest.payload);
  const { digest, lists, serial } = newest;
  return {
    approved: { ...readyTarget(newest.target, lists), digest, lists, serial: serial ?? 0 },
    before:
      before === undefined || wayBackUntil === null
        ? undefined
        : { ...readyTarget(before.target, before.lists), digest: before.digest, lists: before.lists, until: Date.parse(wayBackUntil) },
  };
};

const documentsOf = async (tx: Tx, targets: readonly Target[]): Promise<Approved['documentOf']> => {
  const rows = await readDocuments(
    tx,
    targets.flatMap(({ policies }) => policies),
  );
  const documents = new Map(rows.map(({ digest, document }) => [digest, document]));
  return (digest) => documents.get(digest);
};

/** Read once, and again when another was published. */
export const readApproved = async (tx: Tx, { published, organisation: { epoch } }: Context): Promise<Approved> => {
  const proposal = await newestPublished(tx, epoch);
  if (published.approved !== undefined && published.approved.proposal === proposal) return published.approved;
  const [newest, before] = await publishedProposals(tx, epoch, 2);
  const standing = standingOf(newest, before);
  const targets = [standing.approved, standing.before].flatMap((side) => side?.target ?? []);
  published.approved = { proposal: newest?.id, standing, documentOf: await documentsOf(tx, targets) };
  return published.approved;
};

/**
 * What will be approved when this proposal is published.
 * @throws CordonError approval.*
 */
export const approvedWith = async (tx: Tx, before: Approved, { id, payload, target, lists }: StoredProposal): Promise<Approved> => {
  // Under which serial comes later, and does not matter for who gets what.
  const standing = walk(before.standing, payloadOf(payload), target, lists, (before.standing.approved?.serial ?? -1) + 1);
  const targets = [standing.approved, standing.before].flatMap((side) => side?.target ?? []);
  return { proposal: id, standing, documentOf: await documentsOf(tx, targets) };
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

const toKnow = async (tx: Tx, { target, lists }: Pick<StoredProposal, 'target' | 'lists'>): Promise<TargetToKnow> => ({
  target,
  lists: mutableLists(lists),
  documents: (await readDocuments(tx, target.policies)).map(({ document }) => canonicalJson(document)),
});

/** What the signer is to walk: the approval of what is being published, with everything that it speaks of. */
export const approvalsFor = async (tx: Tx, proposal: StoredProposal | undefined): Promise<ApprovalToWalk[]> =>
  proposal === undefined ? [] : [{ jws: approvalJws(proposal.payload, proposal.signatures), ...(await toKnow(tx, proposal)) }];

/** What people have approved as the database has it: for a signer that goes on from a checkpoint which another one signed. */
export const standingToFollow = async (
  tx: Tx,
  { organisation: { epoch } }: Context,
): Promise<{ readonly standing: StandingMark; readonly targets: TargetToKnow[] }> => {
  const [newest, older] = await publishedProposals(tx, epoch, 2);
  if (newest === undefined) return { standing: { approved: null, before: null }, targets: [] };
  const until = payloadOf(newest.payload).wayBackUntil;
  const before = until === null || older === undefined ? undefined : { digest: older.digest, until };
  const targets = [newest, ...(before === undefined || older === undefined ? [] : [older])];
  return {
    standing: { approved: { digest: newest.digest, serial: newest.serial ?? 0 }, before: before ?? null },
    targets: await Promise.all(targets.map((one) => toKnow(tx, one))),
  };
};

/**
 * What the signer has walked and the database has not: it signed, and the transaction failed after it. Such a proposal is published at the next occasion.
 * @returns undefined when the signer is not ahead
 */
export const lostProposal = async (
  tx: Tx,
  { organisation: { epoch } }: Context,
  { approved, before }: Pick<SignerHead, 'approved' | 'before'>,
): Promise<StoredProposal | undefined> => {
  if (approved === null) return undefined;
  const [newest] = await publishedProposals(tx, epoch, 1);
  if (newest !== undefined && (newest.serial ?? 0) >= approved.serial) return undefined;
  // The same draft may have been proposed several times; each has its own way back.
  const until = before?.until ?? null;
  return (await findByTarget(tx, epoch, approved.digest)).find(({ payload }) => payloadOf(payload).wayBackUntil === until);
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
