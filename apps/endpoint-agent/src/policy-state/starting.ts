/**
 * What a start begins with: the newest state that is stored, unless daemons kept ending soon after they took it. Then the state before it stands in its place,
 * if it is proven to give nothing more; the ratchets stay where they are, and it ages by its own checkpoint. Otherwise nothing does: failure never loosens.
 */
import type { KeptRatchet, Slots } from './slots.ts';
import { isNarrower } from './narrows.ts';
import type { Attempt } from './storage.ts';
import { readStored, type Found, type Kept, type Problem, type Verifier } from './stored.ts';
import { atStart, type Trial, type TrialBook } from './trial.ts';

export interface Start {
  readonly found: Found;
  /** What is in force. */
  readonly begin: Kept | undefined;
  /** What is on trial in this process. */
  readonly trial: Trial | undefined;
  /** Digest of the state that is not used any more, and why nothing launches if nothing stands in its place. */
  readonly condemned: string | undefined;
  readonly problems: readonly Problem[];
}

export interface StartNeeds {
  readonly slots: Slots;
  readonly book: TrialBook;
  readonly version: string;
  readonly verify: Verifier;
  /** The time to judge by, given what an earlier process knew. */
  readonly timeOf: (kept: KeptRatchet) => Date;
  readonly attempt: Attempt;
}

const inItsPlace = (instead: 'previous' | 'nothing', serial: number): Problem => ({
  code: 'state.crash-loop',
  message: `the daemon ended three times soon after it took serial ${serial}: ${
    instead === 'previous'
      ? 'the policy before it, which gives nothing more, stays in force'
      : 'nothing launches, since the policy before it may give more'
  }. Publish one that differs, or install another version of Cordon here`,
});

export const beginFromDisk = async ({ slots, book, version, verify, timeOf, attempt }: StartNeeds): Promise<Start> => {
  const written = book.read();
  const before = written === 'damaged' ? undefined : written;
  const { verdict, write } = atStart(before, version);
  // Before anything of the state is looked at.
  const counted = write === undefined || attempt('the start could not be counted', () => book.write(write));
  const found = await readStored(slots, verify, timeOf);
  const problems: Problem[] = [...found.problems];
  if (written === 'damaged') problems.push({ code: 'state.trial-damaged', message: 'the count of starts is damaged: it begins anew' });
  const newest = found.kept === 'damaged' ? undefined : found.newest;
  const isTried = before !== undefined && newest?.state.digest === before.digest;
  if (!isTried || newest === undefined) {
    // It never came into force, or it is gone: there is nothing to count.
    if (written !== undefined) attempt('the count of starts could not be removed', book.remove);
    return { found, begin: newest, trial: undefined, condemned: undefined, problems };
  }
  if (verdict === 'none' || verdict === 'attempt') return { found, begin: newest, trial: write, condemned: undefined, problems };
  const previous = found.older?.state.digest === newest.state.digest ? undefined : found.older;
  const judge = (): 'previous' | 'nothing' =>
    counted && previous !== undefined && isNarrower(previous.state, newest.state, previous.state.judgedAt) ? 'previous' : 'nothing';
  const instead = verdict === 'judge' ? judge() : verdict;
  if (write !== undefined) attempt('what stands in its place could not be stored', () => book.write({ ...write, instead }));
  problems.push(inItsPlace(instead, newest.state.serial));
  return { found, begin: instead === 'previous' ? previous : undefined, trial: undefined, condemned: newest.state.digest, problems };
};
