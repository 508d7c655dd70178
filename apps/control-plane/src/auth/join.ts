/**
 * Whether a session continues the line of sessions that is known of a device. Pure.
 *
 * A device keeps, on disk before it asks, a number that each attempt raises, and two random marks: `last` of the last session that it knows to have had,
 * `next` of the one it asks for; `next` stays the same until a session is confirmed. A state that was put back, or copied to a second machine, cannot know
 * the mark of a session that it did not have. The number alone would not do: attempts without an answer raise it too, so a copy could pass unseen.
 */
import type { Join } from '@cordon/policy/protocol/enrollment.ts';

/** What is kept of a device: the highest number, the mark of that session, and marks of lines that another has displaced. */
export interface KeptJoin {
  /** 0 before the first. */
  readonly count: number;
  /** Empty when the line is not known: before the first session, and after a restore of the database. */
  readonly mark: string;
  readonly displaced: readonly string[];
}

/**
 * - continues: as it should be.
 * - behind: the number was used; sign again with a higher one. Nothing is opened, so a proof or ticket that was seen before opens nothing.
 * - leaps: no device gets so far ahead; refused, or whoever has a key for a minute could use up all numbers.
 * - restore: another line of sessions than the known one: a state that was put back, or a copy.
 * - clone: a line that had been displaced has come back: two machines with one key.
 */
export type Judgement = 'continues' | 'behind' | 'leaps' | 'restore' | 'clone';

/** Attempts without an answer count too: at least one in five minutes, for nearly a year. */
export const MAX_LEAP = 100_000;
const DISPLACED = 8;

export const judgeJoin = (kept: KeptJoin, { count, last, next }: Join): Judgement => {
  if (count <= kept.count) return 'behind';
  if (count > kept.count + MAX_LEAP) return 'leaps';
  if (kept.mark === '' || kept.mark === last || kept.mark === next) return 'continues';
  return kept.displaced.includes(last) || kept.displaced.includes(next) ? 'clone' : 'restore';
};

/** What is kept once the session is open. */
export const afterJoin = (kept: KeptJoin, { count, last, next }: Join, judgement: 'continues' | 'restore' | 'clone'): KeptJoin => ({
  count,
  mark: next,
  displaced:
    judgement === 'continues'
      ? kept.displaced
      : [...kept.displaced.filter((mark) => mark !== last && mark !== next && mark !== kept.mark), kept.mark].slice(-DISPLACED),
});
