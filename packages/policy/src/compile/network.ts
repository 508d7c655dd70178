/** How truly the rules about where a run may go are kept: by the egress proxy where that is the only way out, else by there being none. */
import type { EffectivePolicy } from '../effective.ts';
import { enforced, unavailable, type Findings } from './backend.ts';

type EgressFindings = Pick<Findings, 'network.hosts' | 'network.cidrs' | 'network.http'>;

/** @param only why the proxy is the only way out */
export const proxied = (only: string): EgressFindings => ({
  'network.hosts': enforced(only),
  'network.cidrs': enforced('the egress proxy judges every address before it dials it'),
  'network.http': enforced('methods and paths are judged in plain HTTP; a rule with them opens no tunnel'),
});

/** @param why there is no network; what is allowed cannot be reached then */
export const unconnected = ({ hosts, cidrs }: EffectivePolicy, why: string): EgressFindings => {
  const allowed = hosts.filter(({ effect }) => effect === 'allow');
  const byRequest = allowed.filter(({ methods, prefixes }) => methods !== undefined || prefixes !== undefined);
  const finding = (any: boolean) =>
    any ? unavailable(`something is allowed, but ${why}`) : enforced('nothing is allowed, and there is no way out');
  return {
    'network.hosts': finding(allowed.length > byRequest.length),
    'network.cidrs': finding(cidrs.some(({ effect }) => effect === 'allow')),
    'network.http': finding(byRequest.length > 0),
  };
};
