/** Whether one verified state gives nothing that another does not. Anything but a proof is no. */
import { withExceptions } from '@cordon/policy/document/exception.ts';
import type { PolicySet } from '@cordon/policy/delta/sets/subjects.ts';
import { narrowsSets } from '@cordon/policy/delta/sets/narrows-sets.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';

/** Exceptions end one after the other: so many ends are looked at, with more of them nothing is proven. */
const MAX_MOMENTS = 8;

const setAt = ({ prepared, exceptions, preparedFloor }: VerifiedState, at: Date): PolicySet => ({
  policies: withExceptions(prepared, exceptions, at),
  floor: preparedFloor,
});

/**
 * @param before nothing in force is the narrowest of all
 * @returns whether `after` is proven to be no wider than `before`, now and after each end of an exception
 */
export const isNarrower = (after: VerifiedState, before: VerifiedState | undefined, now: Date): boolean => {
  if (before === undefined) return false;
  if (before.digest === after.digest) return true;
  const ends = [...before.exceptions, ...after.exceptions].map(({ expiresAt }) => expiresAt).filter((end) => end > now.getTime());
  const moments = [...new Set([now.getTime(), ...ends])];
  return (
    moments.length <= MAX_MOMENTS &&
    moments.every((ms) => narrowsSets(setAt(before, new Date(ms)), setAt(after, new Date(ms))).verdict === 'yes')
  );
};
