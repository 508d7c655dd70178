/**
 * The signer's own decisions: it alone holds the online keys, believes neither the database nor the API process, and signs only what narrows or what
 * people approved. Whatever it signs it has kept before.
 */
import { Compile } from 'typebox/compile';
import { isWalked, walk, type Standing } from '@cordon/policy/approval/walk.ts';
import { judge } from '@cordon/policy/approval/judge.ts';
import { peekApproval, verifyApproval } from '@cordon/policy/approval/signed-approval.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { openCompact, signCompact } from '@cordon/policy/trust/envelope.ts';
import type { TrustedRoot } from '@cordon/policy/trust/root.ts';
import { CheckpointRequest, FollowRequest, type SignerHead } from './contract.ts';
import { checkCheckpoint, checkManifest, checkMoment, isBelow, type HighWater } from './decide.ts';
import type { OnlineKeys } from './key-file.ts';
import { textsByDigest } from './knowledge.ts';
import { checkRunToken } from './run-token.ts';
import type { Memory } from './memory.ts';
import { markOf, standingDigest, standingOf } from './standing.ts';

const Checkpoint = Compile(CheckpointPayload);
const CheckpointAsked = Compile(CheckpointRequest);
const FollowAsked = Compile(FollowRequest);

const refuse = (code: string, message: string, retryable = false): never => {
  throw new CordonError(code, message, { retryable });
};

/** Serials are never used up. */
const MAX_STEP = 100_000;

const older = ({ epoch, serial }: HighWater): never =>
  refuse(
    'signer.rollback',
    `this is older than epoch ${epoch} serial ${serial}, which was signed already; after a restore the root must raise the epoch`,
  );

export class Signer {
  readonly #keys: OnlineKeys;
  readonly #memory: Memory;
  readonly #clock: () => Date;

  constructor(keys: OnlineKeys, memory: Memory, clock: () => Date) {
    this.#keys = keys;
    this.#memory = memory;
    this.#clock = clock;
  }

  head(): SignerHead {
    const { high, standing, leaves } = this.#memory;
    return { ...high, ...markOf(standing), members: leaves.roots.members.root, cohorts: leaves.roots.cohorts.root };
  }

  /** @throws CordonError `signer.roots`, `root.*` */
  async roots(request: unknown): Promise<void> {
    const roots: unknown = (request as { roots?: unknown } | null)?.roots;
    if (
      !Array.isArray(roots) ||
      roots.length > 256 ||
      !roots.every((text): text is string => typeof text === 'string' && text.length <= 65_536)
    )
      return refuse('signer.refused', 'not a chain of roots');
    await this.#memory.takeRoots(roots, this.#clock());
  }

  /** @throws CordonError `signer.refused`, `signer.no-root`, `signer.clock` */
  manifest(payload: unknown): Promise<string> {
    const manifest = checkManifest(payload);
    checkMoment(manifest, this.#root().document, this.#clock());
    return signCompact(manifest, 'cordon-bundle+jws', this.#keys.policy);
  }

  /** Only for a device, a bundle and an audience that it signed itself. @throws CordonError `signer.refused`, `signer.no-root`, `signer.epoch`, `signer.clock`, `signer.token` */
  runToken(claims: unknown): Promise<string> {
    const { leaves, knowledge } = this.#memory;
    const token = checkRunToken(claims, { root: this.#root().document, leaves, heldOf: knowledge.heldOf, now: this.#clock() });
    return signCompact(token, 'cordon-run-token+jwt', this.#keys.identity);
  }

  /** @throws CordonError `signer.unapproved`, `signer.behind`, `signer.rollback`, `signer.serial`, `signer.refused`, `approval.*` */
  async checkpoint(request: unknown): Promise<string> {
    if (!CheckpointAsked.Check(request)) return refuse('signer.refused', 'not a request for a checkpoint');
    const memory = this.#memory;
    const [root, now] = [this.#root(), this.#clock()];
    const { payload, high } = checkCheckpoint(request.payload, memory.high);
    // What was signed between this state and its mark is not known: only another epoch, or a later state of another signer, leads on.
    if (isBelow(memory.high, memory.mark) && payload.epoch <= memory.mark.epoch) older(memory.mark);
    if (memory.leaves.members.length > 0 && payload.serial > memory.high.serial + MAX_STEP)
      refuse('signer.serial', `a serial grows by at most ${MAX_STEP} at once: nobody could publish after the last one`);
    checkMoment(payload, root.document, now);
    const { base, claims } = request;
    const { members, cohorts } = memory.leaves.roots;
    if (base !== null && (base.members !== members.root || base.cohorts !== cohorts.root))
      refuse('signer.behind', 'the changes apply to other leaves than those that were signed last: send all of them', true);

    const standing = await this.#walk(request, payload.serial, root, now);
    const plan = memory.leaves.plan(request);
    for (const { id, serial } of plan.cohorts.values())
      if (serial > payload.serial) refuse('signer.serial', `cohort ${id} would have changed after its checkpoint`);
    if ((plan.altered || standing !== memory.standing) && !isBelow(memory.high, high))
      refuse('signer.serial', `what changes needs a serial above ${memory.high.serial}`);
    const sent = memory.knowledge.with(
      textsByDigest(request.bundles),
      textsByDigest(request.approvals.flatMap(({ documents }) => documents)),
    );

    const verdict = judge({
      changes: memory.leaves.changes(plan),
      standing,
      now,
      claimsOf: (cohort) => (Object.hasOwn(claims, cohort) ? (claims[cohort] ?? []) : []),
      heldOf: sent.heldOf,
      documentOf: sent.documentOf,
    });
    if (verdict.verdict === 'refused') {
      const { devices, first, why } = verdict;
      refuse(
        'signer.unapproved',
        `no approval covers what ${devices} device${devices === 1 ? '' : 's'} would get, first ${first.device} in cohort ${first.cohort}: ${why}; approvers must sign a proposal for it`,
      );
    }

    if (payload.standing !== standingDigest(markOf(standing)))
      refuse('signer.refused', 'the checkpoint names another standing than is approved');
    memory.keep({ high, standing, plan, payload, knowledge: sent.keeping(new Set(memory.leaves.living(plan).values()), standing) });
    return signCompact(payload, 'cordon-checkpoint+jws', this.#keys.checkpoint);
  }

  /**
   * Goes on from a state that a signer with the same keys has signed: it was judged there.
   * @throws CordonError `signer.follow`, `signer.refused`, `signer.rollback`, `approval.target`, `jws.*`
   */
  async follow(request: unknown): Promise<void> {
    if (!FollowAsked.Check(request)) return refuse('signer.refused', 'not a request to follow');
    const memory = this.#memory;
    const { document, keys } = this.#root();
    const { payload } = await openCompact(request.checkpoint, { typ: 'cordon-checkpoint+jws', keys: keys('checkpoint'), maxBytes: 8192 });
    if (!Checkpoint.Check(payload)) return refuse('signer.refused', 'not a checkpoint');
    if (payload.org !== document.org || payload.epoch !== document.epoch)
      return refuse('signer.follow', 'the checkpoint is of another organisation or epoch');
    if (isBelow(payload, memory.high) || isBelow(payload, memory.mark)) return older(memory.mark);
    // One from before signers judged vouches only for what this very signer signed last.
    const vouches =
      payload.standing === undefined
        ? memory.adopts && !isBelow(memory.high, payload) && request.standing.approved === null && request.standing.before === null
        : payload.standing === standingDigest(request.standing);
    if (!vouches) return refuse('signer.follow', 'the checkpoint does not vouch for what was approved');
    const standing = standingOf(request.standing, request.targets);
    const plan = memory.leaves.plan({ ...request, base: null });
    const sent = memory.knowledge.with(
      textsByDigest(request.bundles),
      textsByDigest(request.targets.flatMap(({ documents }) => documents)),
    );
    const knowledge = sent.keeping(new Set(memory.leaves.living(plan).values()), standing);
    memory.keep({ high: { epoch: payload.epoch, serial: payload.serial }, standing, plan, payload, knowledge });
  }

  #root(): TrustedRoot {
    return this.#memory.root ?? refuse('signer.no-root', 'the signer was not given the roots yet');
  }

  async #walk(request: CheckpointRequest, serial: number, root: TrustedRoot, now: Date): Promise<Standing> {
    let { standing } = this.#memory;
    for (const { jws, target, lists } of request.approvals) {
      // The caller's transaction failed after this was signed: it is in force already.
      if (isWalked(standing, peekApproval(jws))) continue;
      standing = walk(standing, await verifyApproval(jws, root, now), target, lists, serial);
    }
    return standing;
  }
}
