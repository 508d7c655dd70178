import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { canonicalHost, canonicalHostPattern, hostMatches } from './host.ts';

const label = fc.constantFrom('a', 'b', 'ab', 'api', 'xn--bcher-kva', 'a-b');
const hostName = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => [...labels, 'com'].join('.'));

/** The obvious way: by labels, from the right. */
const slowMatches = (pattern: string, host: string): boolean => {
  if (pattern === '*') return true;
  const [wanted, given] = [pattern.split('.').toReversed(), host.split('.').toReversed()];
  if (wanted.at(-1) !== '*') return wanted.join('.') === given.join('.');
  const suffix = wanted.slice(0, -1);
  return given.length > suffix.length && suffix.every((part, i) => part === given[i]);
};

describe('a canonical host', () => {
  it('is one text, however it is written', () => {
    fc.assert(
      fc.property(hostName, fc.infiniteStream(fc.boolean()), fc.boolean(), (host, upper, dot) => {
        const written = host.replaceAll(/[a-z]/g, (c) => (upper.next().value === true ? c.toUpperCase() : c)) + (dot ? '.' : '');
        expect(canonicalHost(written)).toBe(host);
        expect(canonicalHost(canonicalHost(written))).toBe(host);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each([
    ['b\u00fccher.example', 'xn--bcher-kva.example'],
    ['bu\u0308cher.example', 'xn--bcher-kva.example'],
    ['B\u00dcCHER.example', 'xn--bcher-kva.example'],
    ['stra\u00dfe.example', 'xn--strae-oqa.example'],
    ['[::1]', '::1'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['192.0.2.1', '192.0.2.1'],
  ])('reads %j as %j', (text, canonical) => expect(canonicalHost(text)).toBe(canonical));

  it.each([
    '',
    '.',
    'a..b',
    '-a.com',
    'a-.com',
    'a b.com',
    'a_b c',
    'http://a.com',
    'a.com/',
    'a.com:80',
    'user@a.com',
    '0x7f.1',
    '127.1',
    '2130706433',
    '0177.0.0.1',
    '0',
    '1.2.3.4.5',
    '\uff11\uff12\uff17.0.0.1',
    '\u2460\u2461\u2466.0.0.1',
    '127\u30020\u30020\u30021',
    'fe80::1%eth0',
    'a\u0000.com',
    '%61.com',
    'exa\u00admple.com.0x1',
    'exa\u00admple.com',
    '\uff45xample.com',
    'example\u3002com',
    'a'.repeat(254),
  ])('refuses %j', (text) => {
    expect(() => canonicalHost(text)).toThrow(expect.objectContaining({ code: 'host.invalid' }));
  });
});

describe('a host pattern', () => {
  it('covers what comparing label by label covers', () => {
    const pattern = fc.oneof(
      hostName,
      hostName.map((host) => `*.${host}`),
      fc.constant('*'),
    );
    fc.assert(
      fc.property(pattern, hostName, (text, host) => {
        expect(hostMatches(canonicalHostPattern(text), host)).toBe(slowMatches(text, host));
      }),
      { numRuns: LAW_RUNS * 5 },
    );
  });

  it('with a star is for one or more labels, not for the apex and not for what only ends alike', () => {
    expect(hostMatches('*.example.com', 'example.com')).toBe(false);
    expect(hostMatches('*.example.com', 'badexample.com')).toBe(false);
    expect(hostMatches('*.example.com', 'a.b.example.com')).toBe(true);
  });

  it('never covers an address by a star: a literal needs a rule of its own', () => {
    expect(hostMatches('*', '192.0.2.1')).toBe(false);
    expect(hostMatches('*', '::1')).toBe(false);
    expect(hostMatches('*', 'example.com')).toBe(true);
  });

  it.each(['*.com', '*.', 'a.*.com', '**.a.com', '*a.com', '*.192.0.2.1', '*.*.com'])('refuses %j', (text) => {
    expect(() => canonicalHostPattern(text)).toThrow(expect.objectContaining({ code: 'host.invalid' }));
  });
});
