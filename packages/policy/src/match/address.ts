/** IP addresses: one textual form, and which ones are not public. Translated forms (NAT64, 6to4, Teredo, mapped, compatible) are judged by what they carry. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** The eight 16-bit words of an IPv6 address. */
export const hextetsOf = (address: string): number[] => {
  const url = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = url.split('::');
  const parse = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const front = parse(head);
  const back = tail === undefined ? [] : parse(tail);
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
};

const dotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** The IPv4 address that an IPv6 address stands for, if it does (RFC 4291 §2.5.5, RFC 2765 §2.1, RFC 6052, RFC 3056, RFC 4380). */
const carried = (words: readonly number[]): string | undefined => {
  const [a = 0, b = 0, c = 0, , e = 0, f = 0, g = 0, h = 0] = words;
  const zero = (from: number, to: number): boolean => words.slice(from, to).every((w) => w === 0);
  if (zero(0, 5) && f === 0xffff) return dotted(g, h);
  if (zero(0, 4) && e === 0xffff && f === 0) return dotted(g, h);
  if (zero(0, 6) && (g !== 0 || h > 1)) return dotted(g, h);
  if (a === 0x64 && b === 0xff9b && (zero(2, 6) || c === 1)) return dotted(g, h);
  if (a === 0x2002) return dotted(b, c);
  if (a === 0x2001 && b === 0) return dotted(g ^ 0xffff, h ^ 0xffff);
  return undefined;
};

/** @returns the address in its one form (RFC 5952), or undefined if the text is not an address in standard notation */
export const canonicalAddress = (text: string): string | undefined => {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const words = hextetsOf(text);
  if (words.slice(0, 5).every((w) => w === 0) && words[5] === 0xffff) return carried(words);
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
};

/** @param address canonical. @returns the IPv4 address that a translator makes of it, if it is an IPv6 one that carries one */
export const carriedAddress = (address: string): string | undefined => (isIPv6(address) ? carried(hextetsOf(address)) : undefined);

/** IANA special-purpose registries, and cloud agents' addresses that are public by number only. */
export const SPECIAL_4: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
];
export const SPECIAL_6: readonly string[] = [
  '::/128',
  '::1/128',
  '100::/64',
  '2001:db8::/32',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  '3fff::/20',
  '5f00::/16',
];

/** Where addresses carry others, private ones too: mapped, compatible, translated, NAT64, Teredo, 6to4. */
export const CARRYING: readonly string[] = ['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16'];

const listOf = (four: readonly string[], six: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const [family, nets] of [
    ['ipv4', four],
    ['ipv6', six],
  ] as const) {
    for (const net of nets) {
      const [base = '', bits = ''] = net.split('/');
      list.addSubnet(base, Number(bits), family);
    }
  }
  return list;
};
const special = listOf(SPECIAL_4, SPECIAL_6);

/** Where clouds answer a machine's questions about itself and hand it credentials; with the whole of link-local, where no name leads (RFC 3927, RFC 4291 §2.5.6). */
const METADATA_4: readonly string[] = ['169.254.0.0/16', '168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32'];
const METADATA_6: readonly string[] = ['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128'];
const metadata = listOf(METADATA_4, METADATA_6);

/** Whether an address may only be reached by a rule that names it. */
export const isMetadataAddress = (text: string): boolean => {
  const address = canonicalAddress(text);
  if (address === undefined) return true;
  const inner = isIPv4(address) ? address : carried(hextetsOf(address));
  return (inner !== undefined && metadata.check(inner, 'ipv4')) || (!isIPv4(address) && metadata.check(address, 'ipv6'));
};

/** Whether an address may only be reached by a rule that says `private: true`. What is no address counts as private. */
export const isPrivateAddress = (text: string): boolean => {
  const address = canonicalAddress(text);
  if (address === undefined) return true;
  if (isIPv4(address)) return special.check(address, 'ipv4');
  const inner = carried(hextetsOf(address));
  return special.check(address, 'ipv6') || (inner !== undefined && special.check(inner, 'ipv4'));
};
