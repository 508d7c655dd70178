/** Where Cordon itself answers: no rule of any policy leads a run there. */
import { isIP } from 'node:net';
import { canonicalAddress, isPrivateAddress } from '@cordon/policy/match/address.ts';
import type { Lookup } from './resolve-host.ts';
import type { Target } from './target.ts';
import type { Way } from './way.ts';

const canonical = (address: string): string => canonicalAddress(address) ?? address;

/**
 * A place is known by its name, and by its address where that is written or near: what many names lead to (a public address of many services) would close those too.
 * @param places hosts canonical
 */
export const createReserved =
  (places: readonly Target[], lookup: Lookup): Way['reserved'] =>
  async (host, port, addresses) => {
    for (const place of places.filter((reserved) => reserved.port === port)) {
      if (place.host === host) return true;
      const near = addresses.map(canonical).filter((address) => isIP(place.host) !== 0 || isPrivateAddress(address));
      if (near.length === 0) continue;
      const own = isIP(place.host) === 0 ? await lookup(place.host).catch(() => []) : [{ address: place.host }];
      if (own.some(({ address }) => near.includes(canonical(address)))) return true;
    }
    return false;
  };
