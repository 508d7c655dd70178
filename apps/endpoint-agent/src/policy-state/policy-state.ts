/** What this device enforces: verified on receipt, persisted, verified again at each load. A bad state never replaces a good one. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { verifyState, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { Slots, StoredState } from './slots.ts';

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

/** Something that was found wrong on disk. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

export interface PolicyState {
  /** What is in force, with its freshness as of now; undefined when nothing valid is there, and then nothing launches. */
  current(now: Date): VerifiedState | undefined;
  load(now: Date): Promise<VerifiedState | undefined>;
  /** What the last load found wrong. None of it loosened anything. */
  problems(): readonly Problem[];
  onState(frame: StateFrame, now: Date): Promise<Outcome>;
  onMembership(frame: MembershipFrame, now: Date): Promise<Outcome>;
}

const freshnessAt = (state: VerifiedState, now: Date): VerifiedState['freshness'] =>
  now >= state.expiresAt ? 'expired' : now >= state.staleAt ? 'stale' : 'current';

const describe = (error: unknown): Problem =>
  error instanceof CordonError ? { code: error.code, message: error.message } : { code: 'state.unknown', message: String(error) };

/** Whether both halves speak of the same cohort. Unverified: it only pairs what came. */
const fit = (frame: StateFrame, membership: MembershipFrame): boolean => frame.cohort.leaf.cohort === membership.member.leaf.cohort;

export const createPolicyState = (enrollment: Enrollment, slots: Slots, log: (message: string) => void): PolicyState => {
  let stored: StoredState | undefined;
  let verified: VerifiedState | undefined;
  /** Halves that came before their other half, in whatever order. */
  let early: { readonly frame?: StateFrame | undefined; readonly membership?: MembershipFrame | undefined } = {};
  let problems: readonly Problem[] = [];
  let ratchet: Ratchet = { epoch: 0, serial: 0, member: 0 };
  const device = { id: enrollment.device, memberIndex: enrollment.memberIndex, org: enrollment.org };
  const verify = (state: StoredState, now: Date, receipt: boolean): Promise<VerifiedState> =>
    verifyState({
      ...state,
      roots: enrollment.roots,
      fingerprint: enrollment.fingerprint,
      floor: enrollment.floor,
      device,
      ratchet,
      now,
      receipt,
    });

  /** A frame without bytes means: those that you have. */
  const complete = (frame: StateFrame): StateFrame =>
    frame.bundle === null && verified?.digest === frame.cohort.leaf.digest && stored !== undefined
      ? { ...frame, bundle: stored.frame.bundle }
      : frame;

  const accept = async (candidate: StoredState, now: Date): Promise<Outcome> => {
    const { frame, membership } = candidate;
    // Accepted or not, it waits no longer: a half that is bad must not spoil the next one.
    early = {
      frame: early.frame === frame ? undefined : early.frame,
      membership: early.membership === membership ? undefined : early.membership,
    };
    let state: VerifiedState;
    try {
      state = await verify(candidate, now, true);
    } catch (error) {
      const { code, message } = describe(error);
      log(`refused a state: ${code}: ${message}`);
      return { kind: 'refused', code, message, frame };
    }
    let persisted = true;
    try {
      slots.write(candidate, state.ratchet);
    } catch (error) {
      // In force from now on even so: a state that tightens must not wait for disk space. After a restart the older one on disk fails the ratchet or holds.
      persisted = false;
      log(`the state is in force but could not be stored: ${error instanceof Error ? error.message : String(error)}`);
    }
    const replaced = verified?.digest !== state.digest || verified.cohort !== state.cohort || verified.epoch !== state.epoch;
    const changed = replaced || verified?.serial !== state.serial;
    [stored, verified, ratchet] = [candidate, state, state.ratchet];
    return { kind: 'accepted', state, replaced, changed, persisted };
  };

  return {
    current: (now) => verified && { ...verified, freshness: freshnessAt(verified, now) },
    load: async (now) => {
      const found: Problem[] = [];
      const seen = slots.ratchet();
      if (seen === 'damaged')
        found.push({
          code: 'state.ratchet-damaged',
          message: 'the ratchet is damaged: nothing launches until the control plane has sent its state',
        });
      else ratchet = seen;
      for (const candidate of slots.read()) {
        if (candidate === 'damaged') found.push({ code: 'state.slot-damaged', message: 'a stored state cannot be read' });
        else if (seen !== 'damaged') {
          try {
            const state = await verify(candidate, now, false);
            if (verified === undefined || state.serial >= verified.serial) [stored, verified] = [candidate, state];
          } catch (error) {
            found.push(describe(error));
          }
        }
      }
      // Of two slots one is the older: that it is no longer accepted is as it should be.
      problems = found.filter(({ code }) => verified === undefined || code !== 'checkpoint.rollback');
      for (const { code, message } of problems) log(`stored state: ${code}: ${message}`);
      return verified;
    },
    problems: () => problems,
    onState: async (received, now) => {
      const frame = complete(received);
      const current = verified !== undefined && freshnessAt(verified, now) === 'current' ? stored?.membership : undefined;
      const membership = [early.membership, current].find((half) => half !== undefined && fit(frame, half));
      if (membership !== undefined) return accept({ frame, membership }, now);
      early = { ...early, frame };
      return { kind: 'waiting' };
    },
    onMembership: async (membership, now) => {
      const frame = [early.frame, stored?.frame].find((half) => half !== undefined && fit(half, membership));
      if (frame !== undefined) return accept({ frame, membership }, now);
      early = { ...early, membership };
      return { kind: 'waiting' };
    },
  };
};
