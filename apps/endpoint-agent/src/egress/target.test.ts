import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { absoluteTarget, connectTarget } from './target.ts';

const refused = (parse: (text: string) => unknown, text: string): string => {
  try {
    return `accepted: ${JSON.stringify(parse(text))}`;
  } catch (error) {
    return error instanceof CordonError ? error.code : String(error);
  }
};
const CODES = ['egress.request', 'host.invalid'];

/** Loopback, as some resolver or other reads it. */
const ODD_LOOPBACK = ['0x7f.1', '0x7f000001', '2130706433', '127.1', '127.0.1', '0177.0.0.1', '0', '00', '0x0', '127.0.0.1.', '127.0.0.01'];

describe('connectTarget', () => {
  it.each([
    ['Allowed.Example:443', 'allowed.example', 443],
    ['allowed.example.:8443', 'allowed.example', 8443],
    ['192.0.2.1:1', '192.0.2.1', 1],
    ['[2001:DB8::0:1]:65535', '2001:db8::1', 65_535],
    ['[::ffff:127.0.0.1]:443', '127.0.0.1', 443],
  ])('%s', (text, host, port) => expect(connectTarget(text)).toEqual({ host, port }));

  it.each([
    'allowed:443@evil:80',
    'evil:443/allowed',
    'allowed:443#x',
    'allowed:443?x',
    'evil\\@allowed:443',
    'user@allowed:443',
    'user:pass@allowed:443',
    'allowed:0443',
    'allowed:0',
    'allowed:65979',
    'allowed:99999',
    'allowed:-1',
    'allowed:4e2',
    'allowed:443 ',
    ' allowed:443',
    'allowed:443\t',
    'allowed',
    'allowed:',
    ':443',
    '',
    '*',
    '/',
    '//allowed:443',
    'http://allowed:443',
    'https://allowed:443/',
    'allowed:443:443',
    '[::1:443',
    '::1:443',
    '[::1]443',
    '[::1]',
    '[fe80::1%eth0]:443',
    '[::ffff:1.2.3]:443',
    '[127.0.0.1]:443x',
    'bücher.example:443',
    'a b:443',
    'a,b:443',
    'a..b:443',
    '-a.example:443',
    `${'a'.repeat(64)}.example:443`,
    `${'a.'.repeat(200)}example:443`,
    ...ODD_LOOPBACK.map((host) => `${host}:443`),
    '１２７.0.0.1:443',
    '①②⑦.0.0.1:443',
    '127。0。0。1:443',
    '127．0．0．1:443',
  ])('refuses %j', (text) => expect(CODES).toContain(refused(connectTarget, text)));
});

describe('absoluteTarget', () => {
  it.each([
    ['http://Allowed.Example', { host: 'allowed.example', port: 80, path: '/', authority: 'Allowed.Example' }],
    ['http://allowed.example:8080/a?b=c', { host: 'allowed.example', port: 8080, path: '/a?b=c', authority: 'allowed.example:8080' }],
    ['http://allowed.example?b', { host: 'allowed.example', port: 80, path: '/?b', authority: 'allowed.example' }],
    ['http://[::1]:8080/', { host: '::1', port: 8080, path: '/', authority: '[::1]:8080' }],
  ])('%s', (text, target) => expect(absoluteTarget(text)).toEqual(target));

  it.each([
    '/',
    '/path',
    '*',
    '',
    'allowed.example/',
    '//allowed.example/',
    'https://allowed.example/',
    'ftp://allowed.example/',
    'ws://allowed.example/',
    'file:///etc/passwd',
    'http:allowed.example',
    'http:/allowed.example',
    'http:///allowed.example',
    'http:\\\\allowed.example\\',
    'http://allowed.example\\@evil.example/',
    'http://user@allowed.example/',
    'http://user:x@allowed.example/',
    'http://allowed.example@evil.example/',
    'http://@allowed.example/',
    'http://allowed.example/#x',
    'http://allowed.example#@evil.example/',
    'http://allowed.example:/',
    'http://allowed.example:80x/',
    'http://allowed.example:080/',
    'http://allowed.example:70000/',
    'http://allowed.example/a b',
    'http://allowed.example/\u0000',
    'http://allowed.example/ü',
    'http://allowed.example /',
    'http://%61llowed.example/',
    'http://al\tlowed.example/',
    ...ODD_LOOPBACK.map((host) => `http://${host}/`),
  ])('refuses %j', (text) => expect(CODES).toContain(refused(absoluteTarget, text)));

  it('what is accepted means the same to a URL parser', () => {
    const piece = fc.constantFrom(
      'http://',
      'allowed',
      'evil',
      '.',
      'example',
      ':',
      '80',
      '443',
      '/',
      '@',
      '#',
      '?',
      '\\',
      '%2e',
      '..',
      '[::1]',
      '127.0.0.1',
      '0x7f',
      ' ',
      '-',
      'A',
      '_',
      '%40',
      ';',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const text = `http://${pieces.join('')}`;
        let target: ReturnType<typeof absoluteTarget>;
        try {
          target = absoluteTarget(text);
        } catch (error) {
          expect(error).toBeInstanceOf(CordonError);
          return;
        }
        const url = new URL(text);
        expect(url.hostname.replace(/^\[|\]$|\.$/g, '')).toBe(target.host);
        expect(url.port === '' ? 80 : Number(url.port)).toBe(target.port);
        expect(url.username + url.password + url.hash).toBe('');
        expect(new URL(`http://${target.authority}${target.path}`).href).toBe(url.href);
      }),
      { numRuns: LAW_RUNS * 5 },
    );
  });
});
