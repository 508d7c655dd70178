import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { addressNumber, canonicalCidr, contains, covers, parseCidr, specialPart } from './cidr.ts';

const four = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const dotted = (bytes: readonly number[]): string => bytes.join('.');
const bitsOf = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
const masked = (bytes: readonly number[], length: number): string => {
  const kept = bitsOf(bytes).slice(0, length).padEnd(32, '0');
  return dotted([0, 8, 16, 24].map((at) => Number.parseInt(kept.slice(at, at + 8), 2)));
};

describe('a network', () => {
  it('holds the addresses whose first bits are its own', () => {
    fc.assert(
      fc.property(four, four, fc.nat(32), (net, address, length) => {
        const network = parseCidr(`${masked(net, length)}/${length}`);
        const number = addressNumber(dotted(address));
        expect(number !== undefined && contains(network, number)).toBe(bitsOf(net).slice(0, length) === bitsOf(address).slice(0, length));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('covers another exactly when it is shorter or equal and holds its first address', () => {
    fc.assert(
      fc.property(four, fc.nat(32), fc.nat(32), (bytes, a, b) => {
        const [outer, inner] = [parseCidr(`${masked(bytes, a)}/${a}`), parseCidr(`${masked(bytes, b)}/${b}`)];
        expect(covers(outer, inner)).toBe(a <= b);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('has one text', () => {
    expect(canonicalCidr('192.0.2.7')).toBe('192.0.2.7/32');
    expect(canonicalCidr('2001:DB8::/32')).toBe('2001:db8::/32');
    expect(canonicalCidr('::ffff:10.0.0.1')).toBe('10.0.0.1/32');
    expect(contains(parseCidr('2001:db8::/32'), addressNumber('2001:db8:1::1') ?? { bits: 32, value: 0n })).toBe(true);
    expect(contains(parseCidr('0.0.0.0/0'), addressNumber('2001:db8::1') ?? { bits: 32, value: 0n })).toBe(false);
  });

  it.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0',
    'example.com/8',
    '2001:db8::1/32',
    '2001:db8::/129',
    '10.0.0.0/',
    '10.0.0.0/08',
    '0x0a.0.0.0/8',
  ])('refuses %j', (text) => {
    expect(() => parseCidr(text)).toThrow(expect.objectContaining({ code: 'cidr.invalid' }));
  });
});

describe('what is special in a network', () => {
  it.each([
    ['8.8.8.0/24', [], undefined],
    ['10.1.0.0/16', [], '10.1.0.0/16'],
    ['8.0.0.0/5', [], '10.0.0.0/8'],
    ['8.0.0.0/5', ['10.0.0.0/8'], undefined],
    ['8.0.0.0/5', ['10.0.0.0/9'], '10.0.0.0/8'],
    ['2606:4700::/32', [], undefined],
    ['2000::/3', ['2001:db8::/32', '3fff::/20'], '2001::/32'],
    ['64:ff9b::/32', ['64:ff9b::/96'], '64:ff9b::/32'],
  ] as const)('%s without %j: %s', (cidr, except, part) => expect(specialPart(cidr, except)).toBe(part));
});
