/** Writes what is in force, makes room where there is none, and knows what the disk has not taken yet. */
import { freshnessAt, type Freshness, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import type { KeptRatchet, Slots, StoredState } from './slots.ts';
import type { TrustedTime } from './trusted-time.ts';

/** Does a write. @returns whether it was done; what kept it from it is logged */
export type Attempt = (what: string, write: () => void) => boolean;

export const attempting =
  (log: (message: string) => void): Attempt =>
  (what, write) => {
    try {
      write();
      return true;
    } catch (error) {
      log(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  };

/** A state with everything that is stored beside it. */
export interface Storable {
  readonly stored: StoredState;
  readonly ratchet: Ratchet;
  /** Whom it was verified under. */
  readonly trust: Enrollment;
}

export interface Storage {
  /** Beside the state before it; where there is no room for both, the one that nobody uses makes room. */
  put(what: Storable, now: Date): boolean;
  /** Where the state before it must not come back at the next start, whatever it takes: that makes room too. */
  replace(what: Storable, now: Date): boolean;
  /** What could not be stored is not taken: nothing of it stays. @param wasCurrent whether the disk had what is in force */
  giveUp(wasCurrent: boolean): void;
  /** What is in force was read from here. */
  begin(stored: StoredState, freshness: Freshness): void;
  /** The time that it is, now and then: it has passed, whatever the clock says after a reboot. */
  tick(ratchet: Ratchet, now: Date): void;
  /** The ratchet alone. */
  remember(ratchet: Ratchet, now: Date): void;
  /** Judges a state by the time that it is, and lets the next process know its age, which the clock alone would not tell. */
  judged(state: VerifiedState, what: Storable, now: Date): VerifiedState;
  /** Whether the disk has what is in force. */
  isCurrent(): boolean;
}

/** So often the time is written down. */
const TICK_MS = 5 * 60_000;

/** The machine's own clock. */
export interface Machine {
  /** null where the system does not name its boots. */
  readonly boot: string | null;
  /** Milliseconds that no one can set. */
  readonly elapsed: () => number;
}

/** A time that an earlier process wrote down, and what the machine has counted since, in the same boot. @returns milliseconds since 1970 */
export const seenSince = ({ seen = 0, machine }: KeptRatchet, { boot, elapsed }: Machine): number =>
  machine !== undefined && machine.boot === boot ? seen + Math.max(0, Math.floor(elapsed()) - machine.at) : seen;

export const createStorage = (
  slots: Slots,
  time: TrustedTime,
  attempt: Attempt,
  enrollment: Enrollment,
  keep: (enrollment: Enrollment) => void,
  machine: Machine,
): Storage => {
  /** What the disk knows: whom is believed, whether it has the state that is in force, and of what age. */
  let [trust, onDisk, freshness]: [Enrollment, boolean, Freshness] = [enrollment, true, 'current'];
  let toldAt = machine.elapsed();
  const kept = ({ epoch, serial, member }: Ratchet, now: Date): KeptRatchet => {
    toldAt = machine.elapsed();
    const seen = Math.max(0, time.inForce(now).getTime());
    return { epoch, serial, member, seen, ...(machine.boot !== null && { machine: { boot: machine.boot, at: Math.floor(toldAt) } }) };
  };
  const write = (what: Storable, now: Date): void => {
    const follows = trust !== what.trust;
    slots.write(what.stored, kept(what.ratchet, now), () => {
      if (follows) keep(what.trust);
      trust = what.trust;
    });
    // Nothing that the newer roots name has signed the one before.
    if (follows) slots.forgetOther();
  };
  const settled = (done: boolean): boolean => {
    onDisk = done;
    if (done) freshness = 'current';
    return done;
  };
  return {
    put: (what, now) => {
      const once = (): boolean => attempt('the state could not be stored', () => write(what, now));
      return settled(once() || (attempt('the unused state could not be removed', slots.forgetOther) && once()));
    },
    replace: (what, now) =>
      settled(
        attempt('the state before it could not be removed', slots.clear) &&
          attempt('nor in its place: after a restart nothing launches until the control plane has sent its state', () => write(what, now)),
      ),
    giveUp: (wasCurrent) => {
      attempt('what was not taken could not be removed', slots.forgetOther);
      onDisk = wasCurrent;
    },
    begin: (stored, known) => {
      slots.hold(stored);
      freshness = known;
    },
    tick: (ratchet, now) => {
      if (onDisk && machine.elapsed() - toldAt >= TICK_MS)
        attempt('the time could not be stored', () => slots.remember(kept(ratchet, now)));
    },
    remember: (ratchet, now) => void attempt('the ratchet could not be stored', () => slots.remember(kept(ratchet, now))),
    judged: (state, what, now) => {
      const judgedAt = time.inForce(now);
      const is = freshnessAt(state, judgedAt);
      if (is !== freshness)
        attempt('the age of the state could not be stored', () => {
          if (onDisk) slots.remember(kept(what.ratchet, now));
          else write(what, now);
          [onDisk, freshness] = [true, is];
        });
      return { ...state, judgedAt, freshness: is };
    },
    isCurrent: () => onDisk,
  };
};
