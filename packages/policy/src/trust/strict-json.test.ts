import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { CordonError } from '../errors.ts';
import { codeOf } from './_refusal.ts';
import { memberText, parseStrictJson, readStrictJson } from './strict-json.ts';

const LIMITS = { maxBytes: 4_000_000, maxDepth: 32 };
const parse = (input: string | Uint8Array): unknown => parseStrictJson(input, LIMITS);
const reference = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined; // not JSON at all
  }
};
const anyOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...Array.from(characters));
/** The refusal's message, or undefined when the text is accepted. */
const refusalOf = (text: string): string | undefined => {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (error instanceof CordonError && error.code === 'json.refused') return error.message;
    throw error;
  }
};

describe('strict JSON against JSON.parse', () => {
  it('reads every value that JSON.stringify writes as JSON.parse does, as text and as bytes, with any white space', () => {
    const value = fc.jsonValue({ maxDepth: 6 }).filter((v) => !JSON.stringify(v).includes('"__proto__"'));
    fc.assert(
      fc.property(value, fc.constantFrom(0, 1, '\t', ' \n', '\r\n'), (v, indent) => {
        const text = JSON.stringify(v, null, indent);
        expect(parse(text)).toStrictEqual(JSON.parse(text));
        expect(parse(Buffer.from(` ${text}\n`))).toStrictEqual(JSON.parse(text));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('reads strings with every escape as JSON.parse does', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }).map((s) => JSON.stringify(s).slice(1, -1)),
      fc.constantFrom(
        '\\"',
        '\\\\',
        '\\/',
        '\\b',
        '\\f',
        '\\n',
        '\\r',
        '\\t',
        '\\u0000',
        '\\uD83D\\uDE00',
        '\\u00e9',
        '\\uFFFF',
        '\u2028',
        '\u{10FFFF}',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `"${pieces.join('')}"`;
        const expected = JSON.parse(text) as string;
        // Pieces may put half a surrogate pair beside nothing.
        if (expected.isWellFormed()) expect(parse(text)).toBe(expected);
        else expect(refusalOf(text)).toMatch(/lone surrogate/);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('accepts nothing that JSON.parse refuses, and refuses of the rest only what I-JSON forbids', () => {
    const soup = fc.string({ unit: anyOf('{}[]",:\\/ \n0123456789-+.eEtrufalsn"_'), maxLength: 24 });
    const spoiled = fc
      .tuple(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.nat(2), anyOf('{}[]",:\\ 01-+.eEtu'))
      .map(([value, at, cut, put]) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + cut);
      });
    fc.assert(
      fc.property(fc.oneof(soup, spoiled), (text) => {
        const expected = reference(text);
        const refusal = refusalOf(text);
        if (refusal === undefined) expect({ value: parse(text) }).toStrictEqual(expected);
        else if (expected !== undefined) expect(refusal).toMatch(/stands twice|__proto__|lone surrogate|out of range/);
      }),
      { numRuns: LAW_RUNS * 10 },
    );
  });

  it('keeps the sign of zero and the nearest double, like JSON.parse', () => {
    for (const text of ['-0', '0', '-0.0', '1e-400', '9007199254740993', '0.1', '1E+2', '5e-324', '1.7976931348623157e308'])
      expect(Object.is(parse(text), JSON.parse(text))).toBe(true);
  });
});

describe('limits of strict JSON', () => {
  it('counts bytes, not characters', async () => {
    const limits = { maxBytes: 8, maxDepth: 1 };
    expect(parseStrictJson('"äöü"', limits)).toBe('äöü');
    expect(parseStrictJson(Buffer.from('"äöü"'), limits)).toBe('äöü');
    expect(await codeOf(() => parseStrictJson('"äöü1"', limits))).toBe('json.too-large');
    expect(await codeOf(() => parseStrictJson(Buffer.from('"äöü1"'), limits))).toBe('json.too-large');
  });

  it('looks at the size before anything else', async () => {
    expect(await codeOf(() => parseStrictJson(Uint8Array.of(0xff, 0xff), { maxBytes: 1, maxDepth: 1 }))).toBe('json.too-large');
  });

  it('counts the value as level 0 and each object or array as one more', async () => {
    const nested = (depth: number): string => '['.repeat(depth) + '1' + ']'.repeat(depth);
    for (const maxDepth of [0, 1, 2, 32]) {
      expect(await codeOf(() => parseStrictJson(nested(maxDepth), { maxBytes: 1000, maxDepth }))).toBe('accepted');
      expect(await codeOf(() => parseStrictJson(nested(maxDepth + 1), { maxBytes: 1000, maxDepth }))).toBe('json.refused');
    }
    expect(await codeOf(() => parseStrictJson('{"a":{"b":1}}', { maxBytes: 100, maxDepth: 1 }))).toBe('json.refused');
  });

  // The reader goes down only inside value(), which refuses beyond maxDepth first: the stack is as deep as the limit, however long the text.
  it.each([
    ['arrays', '['],
    ['objects', '{"a":'],
    ['both', '[{"a":'],
  ])('refuses a million open %s without exhausting the stack', async (_name, open) => {
    expect(await codeOf(() => parse(open.repeat(500_000)))).toBe('json.refused');
  });

  // Nothing is scanned twice: sticky patterns begin at the cursor, no two of their repetitions can match the same text, names are looked up in a Map,
  // and a string's pieces are joined once. So each of these costs its length.
  it.each<readonly [name: string, text: string]>([
    ['escapes', `"${'\\n'.repeat(500_000)}"`],
    ['escaped surrogate pairs', `"${'\\ud83d\\ude00'.repeat(100_000)}"`],
    ['plain text', `"${'x'.repeat(1_000_000)}"`],
    ['white space', `[${' '.repeat(1_000_000)}1${'\n'.repeat(1_000_000)}]`],
    ['digits', `0.${'1'.repeat(1_000_000)}`],
    ['elements', `[${'1,'.repeat(500_000)}1]`],
    ['members', `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":${i}`).join()}}`],
  ])('reads a megabyte of %s', (_name, text) => {
    expect(parse(text)).toStrictEqual(JSON.parse(text));
  });

  it.each<readonly [name: string, text: string]>([
    ['digits without an end', `${'1'.repeat(1_000_000)}.`],
    ['a string without an end', `"${'x'.repeat(1_000_000)}`],
    ['backslashes without an end', `"${'\\\\'.repeat(500_000)}`],
    ['white space without a value', ' '.repeat(1_000_000)],
    ['exponents', `1e${'1'.repeat(1_000_000)}`],
  ])('refuses a megabyte of %s', async (_name, text) => {
    expect(await codeOf(() => parse(text))).toBe('json.refused');
  });

  it('names neither the terminal nor the log something to obey, and stays short, whatever a member is called', () => {
    const name = `\\u001b]0;\\u202e${'x'.repeat(100_000)}`;
    const message = refusalOf(`{"${name}":1,"${name}":2}`);
    expect(message).toMatch(/stands twice/);
    expect(message?.length).toBeLessThan(256);
    expect(message).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  });

  it('makes members of its own: none is inherited or runs anything', () => {
    const value = parse('{"constructor":1,"toString":2,"hasOwnProperty":3,"prototype":4}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['constructor', 'toString', 'hasOwnProperty', 'prototype']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

describe('the text that a value was read from', () => {
  const objects = fc.dictionary(
    fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.constantFrom('1', '0', 'a', 'events', '"', '\\')),
    fc.jsonValue(),
    { minKeys: 1, noNullPrototype: true },
  );

  it('is known where it is exactly what would be written again, and has the text of each member in its place', () => {
    fc.assert(
      fc.property(objects, (value) => {
        const text = JSON.stringify(value);
        // Half a character or the name of no member is refused, and of an escape by code there is no such text.
        if (/\\ud[89a-f]|__proto__/.test(text)) return;
        const { value: found, written } = readStrictJson(text, LIMITS);
        expect(JSON.stringify(found)).toBe(text);
        // An engine that has seen the name \\ in such an object may read the name \" as that: then the reader is asked, and there is no such text either.
        if (written === undefined) {
          expect(text).toContain('\\');
          return;
        }
        expect(written).toBe(text);
        for (const [name, member] of Object.entries(found as Record<string, unknown>))
          expect(memberText(found as Record<string, unknown>, name, written)).toBe(JSON.stringify(member));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each(['{ "a":1}', '{"a":1.0}', '{"a":1e2}', '{"a":"\\u0041"}', '{"2":1,"1":2}'])('%s is not', (text) => {
    expect(readStrictJson(text, LIMITS)).toEqual({ value: JSON.parse(text), written: undefined });
  });
});
