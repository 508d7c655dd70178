/** Networks by number, IPv4 and IPv6: one canonical text, and containment by comparing numbers. */
import { isIPv4 } from 'node:net';
import { CordonError } from '../errors.ts';
import { canonicalAddress, CARRYING, hextetsOf, isPrivateAddress, SPECIAL_4, SPECIAL_6 } from './address.ts';

/** An address as a number with its width; 32 and 128 never mix. */
export interface AddressNumber {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface Network extends AddressNumber {
  readonly length: number;
}

/** @returns undefined for what is not an address in standard notation */
export const addressNumber = (text: string): AddressNumber | undefined => {
  const address = canonicalAddress(text);
  if (address === undefined) return undefined;
  if (isIPv4(address)) return { bits: 32, value: address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) };
  return { bits: 128, value: hextetsOf(address).reduce((sum, word) => (sum << 16n) | BigInt(word), 0n) };
};

const textOf = ({ bits, value }: AddressNumber): string => {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
  return canonicalAddress(words) ?? words;
};

/** @throws CordonError `cidr.invalid` */
export const parseCidr = (text: string): Network => {
  const [base = '', length, ...more] = text.split('/');
  const address = addressNumber(base);
  const refuse = (why: string): never => {
    throw new CordonError('cidr.invalid', `${JSON.stringify(text)} ${why}`, { place: text });
  };
  if (address === undefined || more.length > 0) return refuse('is not a network such as 192.0.2.0/24 or 2001:db8::/32');
  const prefix = length === undefined ? address.bits : Number(length);
  if (length !== undefined && (!/^(?:0|[1-9]\d{0,2})$/.test(length) || prefix > address.bits))
    return refuse(`has a length that is not between 0 and ${address.bits}`);
  const host = BigInt(address.bits - prefix);
  if (address.value !== (address.value >> host) << host)
    return refuse(
      `has bits beyond its length; the network is ${textOf({ bits: address.bits, value: (address.value >> host) << host })}/${prefix}`,
    );
  return { ...address, length: prefix };
};

/** Canonical text: `address/length`, always with its length. @throws CordonError `cidr.invalid` */
export const canonicalCidr = (text: string): string => {
  const network = parseCidr(text);
  return `${textOf(network)}/${network.length}`;
};

export const contains = (network: Network, address: AddressNumber): boolean =>
  network.bits === address.bits &&
  address.value >> BigInt(network.bits - network.length) === network.value >> BigInt(network.bits - network.length);

/** Whether every address of `inner` lies in `outer`. */
export const covers = (outer: Network, inner: Network): boolean => outer.length <= inner.length && contains(outer, inner);

const SPECIAL = [...SPECIAL_4, ...SPECIAL_6, ...CARRYING].map((text) => ({ text, network: parseCidr(text) }));

/** @returns what of a network, outside its exceptions, is private, local or special. @throws CordonError `cidr.invalid` */
export const specialPart = (cidr: string, except: readonly string[]): string | undefined => {
  const network = parseCidr(cidr);
  if (isPrivateAddress(cidr.split('/')[0] ?? '')) return canonicalCidr(cidr);
  const holes = except.map(parseCidr);
  return SPECIAL.find((part) => covers(network, part.network) && !holes.some((hole) => covers(hole, part.network)))?.text;
};
