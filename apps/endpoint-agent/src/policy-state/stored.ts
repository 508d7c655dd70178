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
const NOTHING: Ratchet = { epoch: 0, serial: 0, member: 0 };

/** A state as it is stored, and what it says. */
export interface Kept {
  readonly stored: StoredState;
  readonly state: VerifiedState;
}

export interface Found {
  readonly kept: KeptRatchet | 'damaged';
  /** The newest state that is valid. It may be in force unless the ratchet is damaged: then it may be an old one that was put back. */
  readonly newest: Kept | undefined;
  /** One that is valid but for being older than what was accepted since. */
  readonly older: Kept | undefined;
  /** What nothing may be older than from now on. */
  readonly ratchet: Ratchet;
  readonly problems: readonly Problem[];
}

interface Read {
  readonly kept: Kept;
  readonly isOld: boolean;
}

/** One slot. What is only older than the ratchet is verified all the same: it was the state before, or it was changed. */
const readSlot = async (stored: StoredState, verify: Verifier, ratchet: Ratchet, at: Date): Promise<Read | Problem | undefined> => {
  try {
    return { kept: { stored, state: await verify(stored, ratchet, at, false) }, isOld: false };
  } catch (error) {
    const problem = describeProblem(error);
    if (problem.code !== 'checkpoint.rollback') return problem;
  }
  try {
    return { kept: { stored, state: await verify(stored, { ...NOTHING, epoch: ratchet.epoch }, at, false) }, isOld: true };
  } catch (error) {
    const problem = describeProblem(error);
    // Of an epoch that is over: void, and as it should be.
    return ['checkpoint.rollback', 'checkpoint.epoch'].includes(problem.code) ? undefined : problem;
  }
};

/** @param timeOf the time to judge by, given what an earlier process knew */
export const readStored = async (slots: Slots, verify: Verifier, timeOf: (kept: KeptRatchet) => Date): Promise<Found> => {
  const problems: Problem[] = [];
  const kept = slots.ratchet();
  if (kept === 'damaged')
    problems.push({
      code: 'state.ratchet-damaged',
      message: 'the ratchet is damaged: nothing launches until the control plane has sent its state',
    });
  const before: Ratchet = kept === 'damaged' ? NOTHING : kept;
  const at = kept === 'damaged' ? END_OF_TIME : timeOf(kept);
  let [newest, older]: (Kept | undefined)[] = [];
  for (const stored of slots.read()) {
    if (stored === 'damaged') {
      problems.push({ code: 'state.slot-damaged', message: 'a stored state cannot be read' });
      continue;
    }
    const read = await readSlot(stored, verify, before, at);
    if (read === undefined) continue;
    if (!('kept' in read)) problems.push(read);
    else if (read.isOld) older = read.kept;
    else if (newest === undefined || isNewer(read.kept.state.ratchet, newest.state.ratchet)) [newest, older] = [read.kept, newest ?? older];
    else older = read.kept;
  }
  if (newest === undefined && older !== undefined)
    problems.push({
      code: 'checkpoint.rollback',
      message: `serial ${older.state.serial} is older than what was accepted, ${before.serial}`,
    });
  if (newest === undefined && problems.length === 0 && before.serial > 0)
    problems.push({
      code: 'state.missing',
      message: `a state was accepted under serial ${before.serial} and is not there: nothing launches until the control plane has sent it again`,
    });
  // A state is written before its ratchet, and a cut may have come in between; without a ratchet too, nothing older than a stored state comes in.
  const ratchet = newest !== undefined && isNewer(newest.state.ratchet, before) ? newest.state.ratchet : before;
  return { kept, newest, older, ratchet, problems };
};
