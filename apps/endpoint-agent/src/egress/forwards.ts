/** Forwards that get a port of their own inside the sandbox, where programs that know no proxy find them. */
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import type { Target } from './target.ts';

export interface LocalForward extends Target {
  /** On loopback, inside. */
  readonly at: number;
}

/**
 * One that two rules claim for different places leads nowhere: which of them came first must not matter.
 * @param taken ports that something of Cordon's own listens at, inside
 */
export const localForwards = ({ hosts }: Pick<EgressRules, 'hosts'>, taken: readonly number[]): readonly LocalForward[] => {
  const claims = hosts.flatMap(({ host, ports, at, effect }) =>
    at === undefined || effect !== 'allow' ? [] : (ports ?? []).map((port) => ({ at, host, port })),
  );
  const targetsAt = Map.groupBy(claims, ({ at }) => at);
  return [...targetsAt.values()]
    .filter((claimed) => new Set(claimed.map(({ host, port }) => `${host} ${port}`)).size === 1)
    .flatMap(([first]) => (first === undefined || taken.includes(first.at) ? [] : [first]))
    .sort((a, b) => a.at - b.at);
};
