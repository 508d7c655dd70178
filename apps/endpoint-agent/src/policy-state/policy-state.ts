/** What this device enforces: verified on receipt, persisted, verified again at each load. A bad state never replaces a good one. */
import type { MembershipFrame, RootsFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { freshnessAt, type Freshness, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { KeptRatchet, Slots, StoredState } from './slots.ts';
import { describeProblem, isNewer, readStored, verifierOf, type Problem } from './stored.ts';
import { followRoots } from './trust.ts';
import { createTrustedTime } from './trusted-time.ts';

/** The outcome of a frame: accepted, kept until the other half comes, or refused with a code (and the old state stays). */
export type Outcome =
  | {
      readonly kind: 'accepted';
      readonly state: VerifiedState;
      /** What is enforced is another than before. */
      readonly replaced: boolean;
      /** At least its serial is: there is something to acknowledge. */
      readonly changed: boolean;
      readonly persisted: boolean;
    }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly frame: StateFrame };

export interface PolicyState {
  /**
   * What is in force, with its freshness; undefined when nothing valid is there, and then nothing launches. `now` is the device's clock; what was stale or
   * expired once stays so until a state comes that was signed later, wherever the clock is set.
   */
  current(now: Date): VerifiedState | undefined;
  load(now: Date): Promise<VerifiedState | undefined>;
  /** What the last load found wrong. None of it loosened anything. */
  problems(): readonly Problem[];
  onState(frame: StateFrame, now: Date): Promise<Outcome>;
  onMembership(frame: MembershipFrame, now: Date): Promise<Outcome>;
  /** Newer roots are believed from here on for what comes, and kept with the first state that they verify. @returns what is wrong with them */
  onRoots(frame: RootsFrame, now: Date): Promise<Problem | undefined>;
  /** Whom the device believes now. */
  trusted(): Enrollment;
}

/** Whether both halves speak of the same cohort. Unverified: it only pairs what came. */
const fit = (frame: StateFrame, membership: MembershipFrame): boolean => frame.cohort.leaf.cohort === membership.member.leaf.cohort;

/**
 * @param elapsed milliseconds of a clock that no one can set
 * @param keep writes the enrollment with newer roots
 */
export const createPolicyState = (
  enrollment: Enrollment,
  slots: Slots,
  log: (message: string) => void,
  elapsed: () => number = () => performance.now(),
  keep: (enrollment: Enrollment) => void = () => undefined,
): PolicyState => {
  let stored: StoredState | undefined;
  let verified: VerifiedState | undefined;
  /** Halves that came before their other half, in whatever order. */
  let early: { readonly frame?: StateFrame | undefined; readonly membership?: MembershipFrame | undefined } = {};
  let problems: readonly Problem[] = [];
  let ratchet: Ratchet = { epoch: 0, serial: 0, member: 0 };
  const time = createTrustedTime(elapsed);
  /** What the disk knows: whether it has the state that is in force, and of what age. */
  let [onDisk, storedFreshness]: [boolean, Freshness] = [true, 'current'];
  let trusted = enrollment;
  /** What of it the disk knows. */
  let storedTrust = enrollment;
  /** Newer roots that nothing has been verified under yet. */
  let newer: Enrollment | undefined;

  /** A frame without bytes means: those that you have. */
  const complete = (frame: StateFrame): StateFrame =>
    frame.bundle === null && verified?.digest === frame.cohort.leaf.digest && stored !== undefined
      ? { ...frame, bundle: stored.frame.bundle }
      : frame;

  const kept = (now: Date): KeptRatchet => ({ ...ratchet, seen: Math.max(0, time.inForce(now).getTime()) });
  const attempt = (what: string, write: () => void): boolean => {
    try {
      write();
      return true;
    } catch (error) {
      log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };

  const write = (state: StoredState, now: Date): void =>
    slots.write(state, kept(now), () => {
      if (storedTrust !== trusted) keep(trusted);
      storedTrust = trusted;
    });

  const judged = (state: VerifiedState, now: Date): VerifiedState => {
    const judgedAt = time.inForce(now);
    const freshness = freshnessAt(state, judgedAt);
    // Known to the next process too, where the clock alone would not tell.
    if (freshness !== storedFreshness)
      attempt('the age of the state could not be stored', () => {
        if (onDisk || stored === undefined) slots.remember(kept(now));
        else write(stored, now);
        [onDisk, storedFreshness] = [true, freshness];
      });
    return { ...state, judgedAt, freshness };
  };

  /** A state that replaced another makes the old one void: where there is no room for both, it makes room, and must not come back at the next start. */
  const store = (candidate: StoredState, replaced: boolean, now: Date): boolean => {
    const attemptWrite = (what: string): boolean => attempt(what, () => write(candidate, now));
    onDisk =
      attemptWrite('the state is in force but could not be stored') ||
      (replaced &&
        attempt('the state before it could not be removed', slots.clear) &&
        attemptWrite('nor in its place: after a restart nothing launches until the control plane has sent its state'));
    if (onDisk) storedFreshness = 'current';
    return onDisk;
  };

  const accept = async (candidate: StoredState, now: Date): Promise<Outcome> => {
    const { frame, membership } = candidate;
    // Accepted or not, it waits no longer: a half that is bad must not spoil the next one.
    early = {
      frame: early.frame === frame ? undefined : early.frame,
      membership: early.membership === membership ? undefined : early.membership,
    };
    const at = time.onReceipt(now);
    let state: VerifiedState;
    try {
      state = await verifierOf(newer ?? trusted)(candidate, ratchet, at, true);
    } catch (error) {
      const { code, message } = describeProblem(error);
      log(`refused a state: ${code}: ${message}`);
      return { kind: 'refused', code, message, frame };
    }
    const replaced = verified?.digest !== state.digest || verified.cohort !== state.cohort || verified.epoch !== state.epoch;
    const changed = replaced || verified?.serial !== state.serial;
    time.began(state.issuedAt, at);
    [stored, verified, ratchet] = [candidate, state, state.ratchet];
    [trusted, newer] = [newer ?? trusted, undefined];
    // In force from now on even if the disk does not take it: a state that tightens must not wait for space.
    const persisted = store(candidate, replaced, now);
    return { kind: 'accepted', state: judged(state, now), replaced, changed, persisted };
  };

  /** What a half that comes alone goes with: one that is not current any more would be refused, and the new half with it. */
  const current = (now: Date): StoredState | undefined =>
    // Under newer roots both halves come anew: the old ones may be by keys that are gone.
    newer === undefined && verified !== undefined && judged(verified, now).freshness === 'current' ? stored : undefined;

  return {
    current: (now) => verified && judged(verified, now),
    load: async (now) => {
      const found = await readStored(slots, verifierOf(trusted), (seen) => {
        time.restore(seen);
        return time.inForce(now);
      });
      const { kept: before, newest } = found;
      [ratchet, problems] = [found.ratchet, found.problems];
      if (newest !== undefined && before !== 'damaged') {
        [stored, verified] = [newest.stored, newest.state];
        slots.hold(newest.stored);
        time.began(verified.issuedAt, verified.judgedAt);
        storedFreshness = freshnessAt(verified, new Date(before.seen ?? 0));
        if (isNewer(ratchet, before)) attempt('the ratchet could not be stored', () => slots.remember(kept(now)));
      }
      for (const { code, message } of problems) log(`stored state: ${code}: ${message}`);
      return verified && judged(verified, now);
    },
    problems: () => problems,
    trusted: () => trusted,
    onRoots: async (frame, now) => {
      try {
        newer = await followRoots(trusted, frame, time.onReceipt(now));
        early = {};
        return undefined;
      } catch (error) {
        const problem = describeProblem(error);
        log(`refused newer roots: ${problem.code}: ${problem.message}`);
        return problem;
      }
    },
    onState: async (received, now) => {
      const frame = complete(received);
      const membership = [early.membership, current(now)?.membership].find((half) => half !== undefined && fit(frame, half));
      if (membership !== undefined) return accept({ frame, membership }, now);
      early = { ...early, frame };
      return { kind: 'waiting' };
    },
    onMembership: async (membership, now) => {
      const frame = [early.frame, current(now)?.frame].find((half) => half !== undefined && fit(half, membership));
      if (frame !== undefined) return accept({ frame, membership }, now);
      early = { ...early, membership };
      return { kind: 'waiting' };
    },
  };
};
