/**
 * Power gained and lost between two effective policies of the same subject and variables. Exact: every access that either side's rules can tell apart is
 * asked of both, so nothing is gained where no gain is told.
 */
import { CordonError } from '../errors.ts';
import type { EffectivePolicy } from '../effective.ts';
import { addressGains } from './address-gains.ts';
import { egressPair } from './egress-pair.ts';
import { entryOf, inOrder, type Delta, type Gain } from './entry.ts';
import { hostGains } from './host-gains.ts';
import { pathGains } from './path-gains.ts';
import { rawGains } from './raw-gains.ts';
import { sideOf, type Side } from './side.ts';
import { statementGains } from './statement-gains.ts';

const egressGains = (more: Side, less: Side): readonly Gain[] => {
  if (!more.starts) return [];
  const pair = egressPair(more, less);
  const { gains, shared } = hostGains(pair);
  return [...gains, ...rawGains(more, less), ...addressGains(pair, shared)];
};

/** All but places in the file system, which alone depend on what variables stand for. */
export const placelessGains = (more: Side, less: Side): readonly Gain[] => [...statementGains(more, less), ...egressGains(more, less)];

const gains = (more: Side, less: Side): readonly Gain[] => [...pathGains(more, less), ...placelessGains(more, less)];

const sides = (a: EffectivePolicy, b: EffectivePolicy): readonly [Side, Side] => {
  if (a.subject.os !== b.subject.os)
    throw new CordonError('delta.os', `paths of ${a.subject.os} and ${b.subject.os} cannot be compared: resolve both for the same system`);
  return [sideOf(a), sideOf(b)];
};

/**
 * @param a before; @param b after
 * @returns each difference once, at its most general place, in a fixed order
 * @throws CordonError `delta.os` when they are of different operating systems
 */
export const deltaOf = (a: EffectivePolicy, b: EffectivePolicy): Delta => {
  const [before, after] = sides(a, b);
  return {
    gained: inOrder(gains(after, before).map((gain) => entryOf(gain, 'gained'))),
    lost: inOrder(gains(before, after).map((gain) => entryOf(gain, 'lost'))),
  };
};

/** Whether `b` grants nothing that `a` does not, of any category. Exact. @throws CordonError `delta.os` */
export const narrows = (a: EffectivePolicy, b: EffectivePolicy): 'yes' | 'no' => {
  const [before, after] = sides(a, b);
  return gains(after, before).length === 0 ? 'yes' : 'no';
};
