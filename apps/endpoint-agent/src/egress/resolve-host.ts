/** Names to addresses, once: every answer is judged, and only judged addresses are dialled. */
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalAddress, isMetadataAddress, isPrivateAddress } from '@cordon/policy/match/address.ts';
import { LIMITS } from './limits.ts';

export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

export interface Wanted {
  readonly host: string;
  /** Whether a rule says `private: true` for it. */
  readonly private: boolean;
  /** Whether a rule names it, and not a pattern that covers it. */
  readonly exact: boolean;
}

export interface Resolver {
  /** Whether an address is private, special, or this machine's own. */
  isNear(address: string): boolean;
  /**
   * Called only for names that a rule allows: no name server hears of any other.
   * @returns those that may be dialled, at least one
   * @throws CordonError `egress.unresolved`, `egress.private`, `egress.metadata`, `egress.names`
   */
  resolve(wanted: Wanted): Promise<readonly LookupAddress[]>;
}

/** @returns what does at most so many things at a time, and the others in the order in which they came */
const turns = (most: number): (<T>(work: () => Promise<T>) => Promise<T>) => {
  let busy = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (busy < most) busy += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // whoever ends hands its turn on
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) busy -= 1;
      else next();
    }
  };
};

/** @param own addresses of this machine's interfaces: they count as private whatever their range */
export const createResolver = (lookup: Lookup, own: () => ReadonlySet<string>): Resolver => {
  const names = new Set<string>();
  const inTurn = turns(LIMITS.lookups);
  const answersFor = async ({ host, exact }: Wanted): Promise<readonly LookupAddress[]> => {
    const family = isIP(host);
    if (family !== 0) return [{ address: host, family }];
    if (!exact && !names.has(host)) {
      if (names.size >= LIMITS.names)
        throw new CordonError(
          'egress.names',
          `this run has asked for ${LIMITS.names} different names that only a wildcard allows; name servers hear of no more of them`,
        );
      names.add(host);
    }
    try {
      return await inTurn(() => lookup(host));
    } catch (cause) {
      throw new CordonError('egress.unresolved', `${host} has no address`, { cause });
    }
  };
  const isNear = (address: string): boolean => isPrivateAddress(address) || own().has(canonicalAddress(address) ?? address);
  return {
    isNear,
    resolve: async (wanted) => {
      const { host } = wanted;
      const answers = await answersFor(wanted);
      const [first] = answers;
      if (first === undefined) throw new CordonError('egress.unresolved', `${host} has no address`);
      const permitted = wanted.private ? answers : answers.filter(({ address }) => !isNear(address));
      // Only a rule that names the address itself leads to a cloud's metadata, whoever answers for a name.
      const usable = isIP(host) === 0 ? permitted.filter(({ address }) => !isMetadataAddress(address)) : permitted;
      if (usable.length > 0) return usable;
      if (permitted.length > 0)
        throw new CordonError(
          'egress.metadata',
          `${host} leads to ${first.address}, a link-local or metadata address; only a rule that names the address permits that`,
        );
      throw new CordonError(
        'egress.private',
        `${host} leads to a private address (${first.address}); only a rule with private: true permits that`,
      );
    },
  };
};
