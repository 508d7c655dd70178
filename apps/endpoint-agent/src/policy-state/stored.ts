/** What is on disk, verified again as if it had just come. */
import { CordonError } from '@cordon/policy/errors.ts';
import { verifyState, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { KeptRatchet, Slots, StoredState } from './slots.ts';

/** Something that was found wrong. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

export const describeProblem = (error: unknown): Problem =>
  error instanceof CordonError ? { code: error.code, message: error.message } : { code: 'state.unknown', message: String(error) };

/** The one verification, for this device. @throws CordonError as `verifyState` */
export type Verifier = (state: StoredState, ratchet: Ratchet, now: Date, receipt: boolean) => Promise<VerifiedState>;

export const verifierOf =
  ({ roots, fingerprint, floor, device: id, memberIndex, org }: Enrollment): Verifier =>
  (state, ratchet, now, receipt) =>
    verifyState({ ...state, roots, fingerprint, floor, device: { id, memberIndex, org }, ratchet, now, receipt });

export const isNewer = (a: Ratchet, b: Ratchet): boolean =>
  a.epoch !== b.epoch ? a.epoch > b.epoch : a.serial !== b.serial ? a.serial > b.serial : a.member > b.member;

/** So far ahead that everything stored was issued before. */
const END_OF_TIME = new Date(8.64e15);

export interface Found {
  readonly kept: KeptRatchet | 'damaged';
  /** The newest state that is valid. It may be in force unless the ratchet is damaged: then it may be an old one that was put back. */
  readonly newest: { readonly stored: StoredState; readonly state: VerifiedState } | undefined;
  /** What nothing may be older than from now on. */
  readonly ratchet: Ratchet;
  readonly problems: readonly Problem[];
}

/** @param timeOf the time to judge by, given what an earlier process knew (milliseconds since 1970) */
export const readStored = async (slots: Slots, verify: Verifier, timeOf: (seen: number) => Date): Promise<Found> => {
  const problems: Problem[] = [];
  const kept = slots.ratchet();
  if (kept === 'damaged')
    problems.push({
      code: 'state.ratchet-damaged',
      message: 'the ratchet is damaged: nothing launches until the control plane has sent its state',
    });
  const before: Ratchet = kept === 'damaged' ? { epoch: 0, serial: 0, member: 0 } : kept;
  const at = kept === 'damaged' ? END_OF_TIME : timeOf(kept.seen ?? 0);
  let newest: Found['newest'];
  for (const stored of slots.read()) {
    if (stored === 'damaged') {
      problems.push({ code: 'state.slot-damaged', message: 'a stored state cannot be read' });
      continue;
    }
    try {
      const state = await verify(stored, before, at, false);
      if (newest === undefined || isNewer(state.ratchet, newest.state.ratchet)) newest = { stored, state };
    } catch (error) {
      problems.push(describeProblem(error));
    }
  }
  if (newest === undefined && problems.length === 0 && before.serial > 0)
    problems.push({
      code: 'state.missing',
      message: `a state was accepted under serial ${before.serial} and is not there: nothing launches until the control plane has sent it again`,
    });
  // A state is written before its ratchet, and a cut may have come in between; without a ratchet too, nothing older than a stored state comes in.
  const ratchet = newest !== undefined && isNewer(newest.state.ratchet, before) ? newest.state.ratchet : before;
  // Of two slots one is the older: that it is no longer accepted is as it should be.
  const told = problems.filter(({ code }) => newest === undefined || kept === 'damaged' || code !== 'checkpoint.rollback');
  return { kept, newest, ratchet, problems: told };
};
