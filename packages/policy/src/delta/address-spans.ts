/** Ranges of addresses that no network tells apart: the first address of each stands for all of it. */
import type { ReachRules } from '../egress-rules.ts';
import type { CidrRule } from '../effective.ts';
import { canonicalAddress } from '../match/address.ts';
import { addressNumber, parseCidr, type AddressNumber } from '../match/cidr.ts';

export interface Span {
  readonly bits: 32 | 128;
  readonly first: bigint;
  readonly last: bigint;
}

/** IPv6 addresses that stand for IPv4 ones are those (RFC 4291 §2.5.5.2): nobody asks about them in this form. */
const MAPPED = { first: 0xffff_0000_0000n, next: 0x1_0000_0000_0000n } as const;

const sizeOf = (bits: 32 | 128): bigint => 1n << BigInt(bits);

export const addressText = ({ bits, value }: AddressNumber): string => {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
  return canonicalAddress(words) ?? words;
};

export const spanOfNetwork = (cidr: string): Span => {
  const { bits, value, length } = parseCidr(cidr);
  return { bits, first: value, last: value + (1n << BigInt(bits - length)) - 1n };
};

export const spanOfAddress = (text: string): Span | undefined => {
  const number = addressNumber(text);
  return number === undefined ? undefined : { bits: number.bits, first: number.value, last: number.value };
};

/** Every network that a rule or limit names. */
export const cidrsOf = ({ hostLimits, cidrs, cidrLimits }: ReachRules): readonly CidrRule[] => [
  ...cidrs,
  ...[...cidrLimits, ...hostLimits].flatMap((limit) => limit.cidrs ?? []),
];

/** The whole address space, cut wherever one of the spans begins or ends. */
export const cut = (spans: readonly Span[]): readonly Span[] =>
  ([32, 128] as const).flatMap((bits) => {
    const edges = new Set([0n, ...(bits === 128 ? [MAPPED.first, MAPPED.next] : [])]);
    for (const span of spans) {
      if (span.bits !== bits) continue;
      edges.add(span.first);
      if (span.last + 1n < sizeOf(bits)) edges.add(span.last + 1n);
    }
    const sorted = [...edges].sort((a, b) => (a < b ? -1 : 1));
    return sorted
      .map((first, i): Span => ({ bits, first, last: (sorted[i + 1] ?? sizeOf(bits)) - 1n }))
      .filter(({ first }) => bits === 32 || first < MAPPED.first || first >= MAPPED.next);
  });

export const lies = (inner: Span, outer: Span): boolean =>
  inner.bits === outer.bits && inner.first >= outer.first && inner.last <= outer.last;

/** An address, a network where the range is one, or first and last. */
const rangeText = ({ bits, first, last }: Span): string => {
  const from = addressText({ bits, value: first });
  if (first === last) return from;
  const size = last - first + 1n;
  const isNetwork = (size & (size - 1n)) === 0n && first % size === 0n;
  return isNetwork ? `${from}/${bits - (size.toString(2).length - 1)}` : `${from}-${addressText({ bits, value: last })}`;
};

/** Spans as one text: neighbours joined, and of many the first and how many more. @param spans in ascending order */
export const spansText = (spans: readonly Span[]): string => {
  const joined: Span[] = [];
  for (const span of spans) {
    const before = joined.at(-1);
    if (before !== undefined && before.bits === span.bits && before.last + 1n === span.first)
      joined.splice(-1, 1, { ...before, last: span.last });
    else joined.push(span);
  }
  const [first] = joined;
  if (first === undefined) return 'no address';
  return joined.length === 1 ? rangeText(first) : `${rangeText(first)} and ${joined.length - 1} more`;
};
