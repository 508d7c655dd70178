/**
 * Whether the daemon lives with what it enforces. A state that says something new is on trial until the daemon has lived with it for a minute. Each process
 * that uses it writes that down before it does, so that a state that ends whoever uses it is known by the number of those who did: the third was the last.
 */
import path from 'node:path';
import { Type, type Static } from 'typebox';
import type { Attempt } from './storage.ts';
import { checkedFile, type CheckedFile } from '../checked-file.ts';

/** So many processes may end with a state on trial. */
export const TRIAL_STARTS = 3;
/** So long a process must live with it, in milliseconds. */
export const TRIAL_MS = 60_000;

const Trial = Type.Object(
  {
    digest: Type.String({ maxLength: 64 }),
    /** Processes that used it, or tried to judge it, and did not live long enough. */
    starts: Type.Integer({ minimum: 0, maximum: 1000 }),
    /** Of the daemon: another one may live with it. */
    version: Type.String({ maxLength: 32 }),
    /** What is enforced in its place, once that was judged. */
    instead: Type.Optional(Type.Union([Type.Literal('previous'), Type.Literal('nothing')])),
  },
  { additionalProperties: false },
);
export type Trial = Static<typeof Trial>;
export type TrialBook = CheckedFile<Trial>;

export const trialBook = (stateDir: string): TrialBook => checkedFile(path.join(stateDir, 'trial.json'), Trial);

/** What a start finds: nothing on trial, one more attempt, or a state that is not used any more. */
export type Verdict = 'none' | 'attempt' | 'judge' | 'previous' | 'nothing';

/**
 * The rule alone. @returns what this start may do, and what is written down before it does it
 */
export const atStart = (trial: Trial | undefined, version: string): { readonly verdict: Verdict; readonly write?: Trial } => {
  if (trial === undefined) return { verdict: 'none' };
  if (trial.version !== version) return { verdict: 'attempt', write: { digest: trial.digest, starts: 1, version } };
  if (trial.instead !== undefined) return { verdict: trial.instead };
  const write = { ...trial, starts: trial.starts + 1 };
  if (trial.starts < TRIAL_STARTS) return { verdict: 'attempt', write };
  // To judge what may stand in its place is to use it once more. Whoever ended at that is the last who tried.
  return trial.starts === TRIAL_STARTS ? { verdict: 'judge', write } : { verdict: 'nothing' };
};

export interface Probation {
  /** A state that says something new is about to be used. @returns what takes that back */
  begin(digest: string): () => void;
  /** What a start found on trial, already counted. */
  goOn(trial: Trial | undefined): void;
  tend(): void;
  close(): void;
}

/** @param elapsed milliseconds of a clock that no one can set */
export const createProbation = (book: TrialBook, version: string, elapsed: () => number, attempt: Attempt): Probation => {
  let running: { readonly trial: Trial; readonly since: number; readonly written: boolean } | undefined;
  const write = (trial: Trial): boolean => attempt('the start could not be counted', () => book.write(trial));
  const remove = (): void => void attempt('the count of starts could not be removed', book.remove);
  return {
    begin: (digest) => {
      const [before, onDisk] = [running, book.read()];
      const trial = { digest, starts: 1, version };
      const written = write(trial);
      running = { trial, since: elapsed(), written };
      return () => {
        running = before;
        if (!written) return;
        if (onDisk === undefined || onDisk === 'damaged') remove();
        else write(onDisk);
      };
    },
    goOn: (trial) => {
      running = trial && { trial, since: elapsed(), written: true };
    },
    tend: () => {
      if (running === undefined) return;
      if (elapsed() - running.since >= TRIAL_MS) {
        running = undefined;
        remove();
      } else if (!running.written) running = { ...running, written: write(running.trial) };
    },
    close: () => {
      if (running !== undefined) write({ ...running.trial, starts: Math.max(0, running.trial.starts - 1) });
    },
  };
};
