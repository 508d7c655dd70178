/** How truly the rules about where a run may go are kept: by the egress proxy where that is the only way out, else by there being none. */
import type { EffectivePolicy } from '../effective.ts';
import { enforced, unavailable, unenforced, type Findings } from './backend.ts';

type EgressFindings = Pick<Findings, 'network.hosts' | 'network.cidrs' | 'network.private' | 'network.http' | 'resources.network'>;

const ELSEWHERE = "the company's proxy resolves names, and which address it dials is not seen here";

/**
 * @param only why the proxy is the only way out
 * @param upstream whether names are resolved by a proxy behind it
 */
export const proxied = ({ cidrs, cidrLimits }: EffectivePolicy, only: string, upstream = false): EgressFindings => ({
  'network.hosts': enforced(only),
  'network.cidrs':
    upstream && (cidrLimits.length > 0 || cidrs.some(({ effect }) => effect === 'deny'))
      ? unenforced(ELSEWHERE)
      : enforced('the egress proxy judges every address before it dials it'),
  'network.private': upstream
    ? unenforced(`${ELSEWHERE}: it may lead a name to a private one`)
    : enforced('a name that leads to a private, loopback, link-local or metadata address is refused unless its rule says private: true'),
  'network.http': enforced('methods and paths are judged in plain HTTP; a rule with them opens no tunnel'),
  'resources.network': enforced('the egress proxy counts the bytes of the run and of all runs inside it, and cuts at the limit'),
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
    'network.private': enforced('there is no way out'),
    'network.http': finding(byRequest.length > 0),
    'resources.network': enforced('there is no way out'),
  };
};
