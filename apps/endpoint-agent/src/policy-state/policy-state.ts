/** What this device enforces: verified on receipt, persisted, verified again at each load. A bad state never replaces a good one. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { verifyState, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { Slots, StoredState } from './slots.ts';

/** The outcome of a frame: accepted, kept until the other half comes, or refused with a code (and the old state stays). */
export type Outcome =
  | { readonly kind: 'accepted'; readonly state: VerifiedState; readonly changed: boolean; readonly persisted: boolean }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly frame: StateFrame };

export interface PolicyState {
  /** What is in force, with its freshness as of now; undefined when nothing valid is there, and then nothing launches. */
  current(now: Date): VerifiedState | undefined;
  load(now: Date): Promise<VerifiedState | undefined>;
  onState(frame: StateFrame, now: Date): Promise<Outcome>;
  onMembership(frame: MembershipFrame, now: Date): Promise<Outcome>;
}

const freshnessAt = (state: VerifiedState, now: Date): VerifiedState['freshness'] =>
  now >= state.expiresAt ? 'expired' : now >= state.staleAt ? 'stale' : 'current';

export const createPolicyState = (enrollment: Enrollment, slots: Slots, log: (message: string) => void): PolicyState => {
  let stored: StoredState | undefined;
  let verified: VerifiedState | undefined;
  let pending: StateFrame | undefined;
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
    let state: VerifiedState;
    try {
      state = await verify(candidate, now, true);
    } catch (error) {
      const { code, message } = error instanceof CordonError ? error : { code: 'state.unknown', message: String(error) };
      log(`refused a state: ${code}: ${message}`);
      return { kind: 'refused', code, message, frame: candidate.frame };
    }
    let persisted = true;
    try {
      slots.write(candidate, state.ratchet);
    } catch (error) {
      // In force from now on even so: a state that tightens must not wait for disk space. After a restart the older one on disk fails the ratchet or holds.
      persisted = false;
      log(`the state is in force but could not be stored: ${error instanceof Error ? error.message : String(error)}`);
    }
    const changed = verified?.digest !== state.digest || verified.serial !== state.serial || verified.epoch !== state.epoch;
    [stored, verified, ratchet, pending] = [candidate, state, state.ratchet, undefined];
    return { kind: 'accepted', state, changed, persisted };
  };

  return {
    current: (now) => verified && { ...verified, freshness: freshnessAt(verified, now) },
    load: async (now) => {
      const seen = slots.ratchet();
      if (seen === 'damaged') {
        log('the ratchet file is damaged: nothing launches until the control plane has sent its state');
        return undefined;
      }
      ratchet = seen;
      for (const candidate of slots.read()) {
        try {
          const state = await verify(candidate, now, false);
          if (verified === undefined || state.serial >= verified.serial) [stored, verified] = [candidate, state];
        } catch (error) {
          log(`a stored state is not valid: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      return verified;
    },
    onState: async (received, now) => {
      const frame = complete(received);
      const usable =
        stored !== undefined &&
        verified !== undefined &&
        freshnessAt(verified, now) === 'current' &&
        frame.cohort.leaf.cohort === verified.cohort;
      if (!usable || stored === undefined) {
        pending = frame;
        return { kind: 'waiting' };
      }
      return accept({ frame, membership: stored.membership }, now);
    },
    onMembership: async (membership, now) => {
      const frame = pending ?? stored?.frame;
      if (frame === undefined) return { kind: 'waiting' };
      return accept({ frame, membership }, now);
    },
  };
};
