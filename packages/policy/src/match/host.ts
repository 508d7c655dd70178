/** The one canonical form of a host and the one matching function, used by the parser, the resolver and the egress proxy. */
import { domainToASCII, domainToUnicode } from 'node:url';
import { CordonError } from '../errors.ts';
import { canonicalAddress } from './address.ts';

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

const refuse = (host: string, why: string): never => {
  throw new CordonError('host.invalid', `${JSON.stringify(host)} ${why}`, { place: host });
};

/**
 * Canonical name or address: lower case, IDN as A-labels (UTS 46), no trailing dot, addresses in their one form. Spellings that some resolver reads as an
 * address (`0x7f.1`, `127.1`, `2130706433`, full-width digits) are refused, not translated.
 * @throws CordonError `host.invalid`
 */
export const canonicalHost = (text: string): string => {
  if (text.length === 0 || text.length > 253) refuse(text.slice(0, 64), 'is empty or longer than 253 characters');
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const address = canonicalAddress(bare);
  if (address !== undefined) return address;
  const lower = text.toLowerCase().replace(/\.$/, '');
  const ascii = domainToASCII(lower);
  const labels = ascii.split('.');
  if (ascii === '' || !labels.every((label) => LABEL.test(label))) refuse(text, 'is not a host name or address');
  // UTS 46 maps full-width letters and drops what nobody sees; a name that changed otherwise than by punycode was not what it seemed.
  if (/^[\u0020-\u007e]*$/.test(lower) ? ascii !== lower : domainToUnicode(ascii) !== lower.normalize('NFC'))
    refuse(text, `is written in a way that reads as ${ascii}; write that`);
  if (/^(?:0x[0-9a-f]*|[0-9]+)$/.test(labels.at(-1) ?? '')) refuse(text, 'ends in a number: some resolvers would read it as an address');
  return ascii;
};

/** A rule's host: a canonical host, `*.suffix` of at least two labels, or `*`. @throws CordonError `host.invalid` */
export const canonicalHostPattern = (text: string): string => {
  if (text === '*') return text;
  if (!text.startsWith('*.'))
    return text.includes('*') ? refuse(text, 'has a * inside; only "*." at the beginning is understood') : canonicalHost(text);
  const suffix = canonicalHost(text.slice(2));
  if (!suffix.includes('.') || canonicalAddress(suffix) !== undefined)
    refuse(text, 'would cover a whole top-level domain; name at least two labels, such as *.example.com');
  return `*.${suffix}`;
};

/** Whether a canonical pattern covers a canonical host. `*.x` is one or more labels below x, not x. `*` is every name, and no address: a literal needs its own rule. */
export const hostMatches = (pattern: string, host: string): boolean => {
  if (pattern === '*') return canonicalAddress(host) === undefined;
  if (pattern.startsWith('*.')) return host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
  return pattern === host;
};
