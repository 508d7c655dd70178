/** One of the two effective policies that are compared, made ready for questions. */
import { createDecider, type Decider } from '../decide/decider.ts';
import type { EffectivePolicy, Explanation } from '../effective.ts';
import type { Gain } from './entry.ts';

export interface Side {
  readonly effective: EffectivePolicy;
  readonly decider: Decider;
  /** A run that cannot start has no power, whatever its rules say. */
  readonly starts: boolean;
}

export const sideOf = (effective: EffectivePolicy): Side => ({
  effective,
  decider: createDecider(effective),
  starts: effective.refused === undefined,
});

/** What lets the one side and not the other. @param more and less: the explanations of the same access on either side */
export const difference = (
  more: Explanation,
  less: Explanation,
  { effective: { refused } }: Side,
): Pick<Gain, 'cause' | 'by' | 'more' | 'less'> => {
  const reasons = { more: more.reason, less: refused?.message ?? less.reason };
  if (refused !== undefined) return { cause: 'launch', by: refused.origin, ...reasons };
  // An allow that is there already is kept back by a deny or limit.
  const kept = less.shadowed.length > 0;
  if (kept && less.effect === 'deny') return { cause: 'deny', by: less.rule, ...reasons };
  if (kept && less.effect === 'limit') return { cause: 'limit', by: less.rule, ...reasons };
  return { cause: 'allow', by: more.rule, ...reasons };
};
