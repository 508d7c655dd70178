/** Names to addresses, once: every answer is judged, and only judged addresses are dialled. */
import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalAddress, isPrivateAddress } from '@cordon/policy/match/address.ts';

export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

/**
 * Called only for names that a rule allows: no name server hears of any other.
 * @param own addresses of this machine's interfaces: they count as private whatever their range
 * @returns those that may be dialled, at least one
 * @throws CordonError `egress.unresolved`, `egress.private`
 */
export const resolveHost = async (
  host: string,
  allowPrivate: boolean,
  lookup: Lookup,
  own: ReadonlySet<string>,
): Promise<readonly LookupAddress[]> => {
  const family = isIP(host);
  let answers: readonly LookupAddress[];
  try {
    answers = family === 0 ? await lookup(host) : [{ address: host, family }];
  } catch (cause) {
    throw new CordonError('egress.unresolved', `${host} has no address`, { cause });
  }
  const isOwn = (address: string): boolean => own.has(canonicalAddress(address) ?? address);
  const usable = answers.filter(({ address }) => allowPrivate || (!isPrivateAddress(address) && !isOwn(address)));
  if (usable.length > 0) return usable;
  if (answers.length === 0) throw new CordonError('egress.unresolved', `${host} has no address`);
  throw new CordonError(
    'egress.private',
    `${host} leads to a private address (${answers[0]?.address ?? ''}); only a rule with private: true permits that`,
  );
};
