import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { codeOf } from './_refusal.ts';
import { HAS_VECTORS, readVector } from './_vectors.ts';
import { canonicalJson } from './canonical-json.ts';
import { parseStrictJson } from './strict-json.ts';

const read = (file: string): string => readVector(`jcs/${file}`) ?? '';
const parse = (text: string): unknown => parseStrictJson(text, { maxBytes: 1_000_000, maxDepth: 32 });
const value = fc.jsonValue({ maxDepth: 5 }).filter((v) => !JSON.stringify(v).includes('"__proto__"'));

/** The same value with every object's members in another order. */
const shuffled = (v: unknown): unknown =>
  Array.isArray(v)
    ? v.map(shuffled)
    : typeof v === 'object' && v !== null
      ? Object.fromEntries(
          Object.entries(v)
            .reverse()
            .map(([name, member]) => [name, shuffled(member)]),
        )
      : v;

describe('canonical JSON (RFC 8785)', () => {
  it.skipIf(!HAS_VECTORS).each(['arrays', 'french', 'structures', 'unicode', 'values', 'weird'])(
    'gives the published bytes of %s',
    (name) => {
      const text = canonicalJson(parse(read(`input-${name}.json`)));
      expect(text).toBe(read(`output-${name}.json`));
      expect(Buffer.from(text).toString('hex')).toBe(read(`outhex-${name}.txt`).replaceAll(/\s/g, ''));
    },
  );

  it('parses back to the same value', () => {
    fc.assert(
      fc.property(value, (v) => {
        // -0 is written 0: the one value that does not come back (RFC 8785 §3.2.2.3).
        expect(parse(canonicalJson(v))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is the same in whatever order members were written', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(canonicalJson(shuffled(v))).toBe(canonicalJson(v));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is idempotent: canonical text parsed and written again is the same text', () => {
    fc.assert(
      fc.property(value, (v) => {
        const text = canonicalJson(v);
        expect(canonicalJson(parse(text))).toBe(text);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('sorts members by UTF-16 code units, not by code points or locale', () => {
    expect(canonicalJson({ '\u{10000}': 1, '\uFFFF': 2, a: 3, B: 4, é: 5, '10': 6, '9': 7, '': 8 })).toBe(
      '{"":8,"10":6,"9":7,"B":4,"a":3,"é":5,"\u{10000}":1,"\uFFFF":2}',
    );
  });

  it.each<readonly [number, string]>([
    [-0, '0'],
    [1e21, '1e+21'],
    [999999999999999900000, '999999999999999900000'],
    [1e-7, '1e-7'],
    [0.000001, '0.000001'],
    [Number('333333333.33333329'), '333333333.3333333'],
    [5e-324, '5e-324'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
  ])('writes the number %s as ECMAScript does', (number, text) => {
    expect(canonicalJson(number)).toBe(text);
  });

  it('escapes only what must be, in lower case', () => {
    expect(canonicalJson('\u0000\b\t\n\f\r\u001f"\\/\u007f\u2028é😀')).toBe('"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007f\u2028é😀"');
  });

  it('takes a member that is undefined as absent', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe(canonicalJson({ b: 1 }));
  });

  it.each<readonly [why: string, value: unknown]>([
    ['undefined', undefined],
    ['undefined in an array', [undefined]],
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is refused
    ['a hole in an array', [1, , 2]],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['minus Infinity, deep inside', { a: [Number.NEGATIVE_INFINITY] }],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['a function', () => 1],
    ['a function as a member', { a: () => 1 }],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a name', { '\udc00': 1 }],
    ['a Date', new Date(0)],
    ['a Date as a member', { at: new Date(0) }],
    ['a Map', new Map([['a', 1]])],
    ['a Set', new Set([1])],
    ['bytes', Buffer.from('x')],
    ['an error', new Error('x')],
    ['a boxed string', Object('x')],
  ])('refuses %s', async (_why, unfit) => {
    expect(await codeOf(() => canonicalJson(unfit))).toBe('json.not-canonical');
  });

  it('takes objects without a prototype', () => {
    expect(canonicalJson(Object.assign(Object.create(null) as object, { a: 1 }))).toBe('{"a":1}');
  });
});
