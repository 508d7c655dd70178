/** Entries about the network as rules: hosts, forwards and networks in their one form. */
import type { CidrRule, Effect, HostRule, RuleOrigin } from '../effective.ts';
import { canonicalCidr } from '../match/cidr.ts';
import { canonicalHost, canonicalHostPattern } from '../match/host.ts';
import { canonicalUrlPath } from '../match/url-path.ts';
import type { CidrEntry, ForwardEntry, HostEntry } from './terms.ts';

export const hostRule = (entry: HostEntry, effect: Effect, origin: RuleOrigin): HostRule => ({
  host: canonicalHostPattern(entry.host),
  ports: entry.ports ?? (effect === 'allow' ? [entry.methods === undefined && entry.paths === undefined ? 443 : 80] : undefined),
  private: entry.private ?? false,
  ...(entry.methods !== undefined && { methods: entry.methods }),
  ...(entry.paths !== undefined && { prefixes: entry.paths.map(canonicalUrlPath) }),
  effect,
  origin,
});

export const forwardRule = ({ host, port, at, private: isPrivate }: ForwardEntry, origin: RuleOrigin): HostRule => ({
  host: canonicalHost(host),
  ports: [port],
  private: isPrivate ?? false,
  raw: true,
  ...(at !== undefined && { at }),
  effect: 'allow',
  origin,
});

export const cidrRule = (entry: CidrEntry, effect: Effect, origin: RuleOrigin): CidrRule => ({
  cidr: canonicalCidr(entry.cidr),
  except: (entry.except ?? []).map(canonicalCidr),
  ports: entry.ports ?? (effect === 'allow' ? [443] : undefined),
  private: entry.private ?? false,
  effect,
  origin,
});
