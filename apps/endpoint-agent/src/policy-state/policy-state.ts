/** What this device enforces: verified on receipt, persisted, verified again at each load. A bad state never replaces a good one. */
import type { MembershipFrame, RootsFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { freshnessAt, type Ratchet, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { createHalves } from './halves.ts';
import { isNarrower } from './narrows.ts';
import type { KeptRatchet, Slots, StoredState } from './slots.ts';
import { beginFromDisk } from './starting.ts';
import { attempting, createStorage, seenSince } from './storage.ts';
import { describeProblem, isNewer, verifierOf, type Kept, type Problem } from './stored.ts';
import { createProbation, type TrialBook } from './trial.ts';
import { followRoots } from './trust.ts';
import { createTrustedTime } from './trusted-time.ts';

/** The outcome of a frame: accepted, kept until the other half comes, or refused with a code (and the old state stays). */
export type Outcome =
  | {
      readonly kind: 'accepted';
      readonly state: VerifiedState;
      /** What is enforced is another than before. */
      readonly replaced: boolean;
      /** At least its serial is, or that it is stored: there is something to acknowledge. */
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
  /** Why nothing is in force, where that is because the daemon kept ending with what it took. */
  crashLoop(): Problem | undefined;
  onState(frame: StateFrame, now: Date): Promise<Outcome>;
  onMembership(frame: MembershipFrame, now: Date): Promise<Outcome>;
  /** Newer roots are believed from here on for what comes, and kept with the first state that they verify. @returns what is wrong with them */
  onRoots(frame: RootsFrame, now: Date): Promise<Problem | undefined>;
  /** Now and then: stores what could not be stored, and ends a trial that was passed. @returns what came of it, if anything did */
  tend(now: Date): Promise<Outcome | undefined>;
  /** The daemon ends in order: that is no reason to suspect what it enforces. */
  close(): void;
  /** Whether a start would bring back what is in force. */
  isPersisted(): boolean;
  /** Whom the device believes now. */
  trusted(): Enrollment;
  /** The highest that was ever accepted. */
  accepted(): Ratchet;
  /** What time it is for everything that was signed for this device. */
  time(now: Date): Date;
}

export interface PolicyStateOptions {
  readonly enrollment: Enrollment;
  readonly slots: Slots;
  readonly trials: TrialBook;
  /** Of this daemon. */
  readonly version: string;
  readonly log: (message: string) => void;
  /** Milliseconds of a clock that no one can set. */
  readonly elapsed: () => number;
  /** Of the machine: as long as it is the same, that clock goes on from one process to the next. */
  readonly boot: string | null;
  /** Writes the enrollment with newer roots. */
  readonly keep?: (enrollment: Enrollment) => void;
}

export const createPolicyState = ({
  enrollment,
  slots,
  trials,
  version,
  log,
  elapsed,
  boot,
  keep = () => undefined,
}: PolicyStateOptions): PolicyState => {
  let held: Kept | undefined;
  let problems: readonly Problem[] = [];
  let ratchet: Ratchet = { epoch: 0, serial: 0, member: 0 };
  /** Why nothing stands in the place of a state that ended the daemon too often; its digest. */
  let condemned: string | undefined;
  /** It may loosen, so it waits until it can be stored. */
  let unstored: StoredState | undefined;
  /** What the disk says of it is damaged, which stays to be seen until something is accepted. */
  let isRatchetDamaged = false;
  let trusted = enrollment;
  /** Newer roots that nothing has been verified under yet. */
  let newer: Enrollment | undefined;
  const time = createTrustedTime(elapsed);
  const attempt = attempting(log);
  const probation = createProbation(trials, version, elapsed, attempt);
  const machine = { boot, elapsed };
  const storage = createStorage(slots, time, attempt, enrollment, keep, machine);
  const judged = ({ stored, state }: Kept, now: Date): VerifiedState => storage.judged(state, { stored, ratchet, trust: trusted }, now);

  const refused = (code: string, message: string, { frame }: StoredState): Outcome => {
    log(`refused a state: ${code}: ${message}`);
    return { kind: 'refused', code, message, frame };
  };

  const accept = async (candidate: StoredState, now: Date): Promise<Outcome> => {
    // Accepted or not, it waits no longer: a half that is bad must not spoil the next one.
    halves.used(candidate);
    const at = time.onReceipt(now);
    const trust = newer ?? trusted;
    let state: VerifiedState;
    try {
      state = await verifierOf(trust)(candidate, ratchet, at, true);
    } catch (error) {
      const { code, message } = describeProblem(error);
      return refused(code, message, candidate);
    }
    if (state.digest === condemned)
      return refused('state.crash-loop', 'this policy ended the daemon three times: publish one that differs', candidate);
    const before = held?.state;
    const isOther = before?.digest !== state.digest;
    const replaced = isOther || before.cohort !== state.cohort || before.epoch !== state.epoch;
    const changed = replaced || before.serial !== state.serial;
    const undoTime = time.began(state.issuedAt, at);
    const undoTrial = isOther ? probation.begin(state.digest) : () => undefined;
    const storable = { stored: candidate, ratchet: state.ratchet, trust };
    const wasCurrent = storage.isCurrent();
    let persisted = storage.put(storable, now);
    if (!persisted && isOther) {
      if (!isNarrower(state, before, at)) {
        undoTime();
        undoTrial();
        storage.giveUp(wasCurrent);
        unstored = candidate;
        halves.keep(candidate.frame);
        return refused('state.not-persisted', 'it may give more than what is in force, and could not be stored: it waits', candidate);
      }
      persisted = storage.replace(storable, now);
    }
    if (unstored !== undefined) halves.used(unstored);
    [held, ratchet, unstored] = [{ stored: candidate, state }, state.ratchet, undefined];
    [trusted, newer, isRatchetDamaged] = [trust, undefined, false];
    if (isOther) condemned = undefined;
    return { kind: 'accepted', state: judged(held, now), replaced, changed, persisted };
  };

  /** What a half that comes alone goes with: one that would be refused by now would take the new half with it. */
  const current = (now: Date): StoredState | undefined => {
    // Under newer roots both halves come anew: the old ones may be by keys that are gone. Nor is one that stands in another's place of any use.
    if (newer !== undefined || held === undefined || isNewer(ratchet, held.state.ratchet)) return undefined;
    return judged(held, now).freshness === 'current' ? held.stored : undefined;
  };
  const halves = createHalves(current);
  /** One after the other: what was verified must still be the newest when it takes effect. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work);
    turn = mine;
    return mine;
  };

  return {
    current: (now) => held && judged(held, now),
    load: async (now) => {
      const timeOf = (kept: KeptRatchet): Date => {
        time.restore(seenSince(kept, machine));
        return time.inForce(now);
      };
      const start = await beginFromDisk({ slots, book: trials, version, verify: verifierOf(trusted), timeOf, attempt });
      const { found, begin } = start;
      [ratchet, problems, condemned] = [found.ratchet, start.problems, start.condemned];
      isRatchetDamaged = found.kept === 'damaged';
      probation.goOn(start.trial);
      if (begin !== undefined && found.kept !== 'damaged') {
        held = begin;
        time.began(begin.state.issuedAt, begin.state.judgedAt);
        storage.begin(begin.stored, freshnessAt(begin.state, new Date(found.kept.seen ?? 0)));
        if (isNewer(ratchet, found.kept)) storage.remember(ratchet, now);
      }
      for (const { code, message } of problems) log(`stored state: ${code}: ${message}`);
      return held && judged(held, now);
    },
    problems: () => problems,
    crashLoop: () => (held === undefined && condemned !== undefined ? problems.find(({ code }) => code === 'state.crash-loop') : undefined),
    isPersisted: storage.isCurrent,
    trusted: () => trusted,
    accepted: () => ratchet,
    time: (now) => time.inForce(now),
    onRoots: (frame, now) =>
      inTurn(async () => {
        try {
          newer = await followRoots(trusted, frame, time.onReceipt(now));
          halves.forget();
          return undefined;
        } catch (error) {
          const problem = describeProblem(error);
          log(`refused newer roots: ${problem.code}: ${problem.message}`);
          return problem;
        }
      }),
    onState: (received, now) =>
      inTurn(async () => {
        // A frame without bytes means: those that you have.
        const bytes = held?.state.digest === received.cohort.leaf.digest ? held.stored.frame.bundle : undefined;
        const frame = received.bundle === null && bytes !== undefined ? { ...received, bundle: bytes } : received;
        const both = halves.withState(frame, now);
        return both === undefined ? { kind: 'waiting' } : accept(both, now);
      }),
    onMembership: (membership, now) =>
      inTurn(async () => {
        const both = halves.withMembership(membership, now);
        return both === undefined ? { kind: 'waiting' } : accept(both, now);
      }),
    tend: (now) =>
      inTurn(async () => {
        probation.tend();
        if (!isRatchetDamaged) storage.tick(ratchet, now);
        if (unstored !== undefined) {
          const waiting = unstored;
          unstored = undefined;
          const outcome = await accept(waiting, now);
          return outcome.kind === 'refused' ? undefined : outcome;
        }
        if (held === undefined || storage.isCurrent() || !storage.put({ stored: held.stored, ratchet, trust: trusted }, now))
          return undefined;
        return { kind: 'accepted', state: judged(held, now), replaced: false, changed: true, persisted: true };
      }),
    close: () => probation.close(),
  };
};
