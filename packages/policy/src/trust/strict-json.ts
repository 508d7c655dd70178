import { isUtf8 } from 'node:buffer';
import { CordonError } from '../errors.ts';
import { visible } from '../visible.ts';

export interface JsonLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
}

const refuse = (message: string, at: number): never => {
  throw new CordonError('json.refused', `${message} (at character ${at})`);
};

/** Sticky: each begins at the cursor, so nothing is scanned twice. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex -- unescaped control characters end a string's plain part (RFC 8259 §7)
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** One value of JSON text; the cursor is the only state, and it lives for one call. */
const reader = (text: string, maxDepth: number): unknown => {
  let at = 0;
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? '';
    at += found.length;
    return found;
  };
  const take = (char: string): void => {
    if (text[at] !== char) refuse(`expected ${char}`, at);
    at += 1;
  };
  const string = (): string => {
    take('"');
    let value = '';
    for (;;) {
      value += match(PLAIN);
      if (text[at] === '"') break;
      if (text[at] !== '\\') return refuse('unfinished string or control character', at);
      const escape = text[at + 1] ?? '';
      at += 2;
      if (escape === 'u') {
        const hex = text.slice(at, at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) refuse('bad \\u escape', at);
        value += String.fromCharCode(Number.parseInt(hex, 16));
        at += 4;
      } else value += ESCAPES[escape] ?? refuse('unknown escape', at - 1);
    }
    at += 1;
    return value.isWellFormed() ? value : refuse('lone surrogate', at);
  };
  const value = (depth: number): unknown => {
    if (depth > maxDepth) refuse(`deeper than ${maxDepth} levels`, at);
    match(SPACE);
    const result = one(depth);
    match(SPACE);
    return result;
  };
  const object = (depth: number): Record<string, unknown> => {
    const members = new Map<string, unknown>();
    take('{');
    match(SPACE);
    while (text[at] !== '}') {
      if (members.size > 0) {
        take(',');
        match(SPACE);
      }
      const name = string();
      if (members.has(name)) refuse(`member ${visible(JSON.stringify(name.slice(0, 64)))} stands twice`, at);
      if (name === '__proto__') refuse('member __proto__', at);
      match(SPACE);
      take(':');
      members.set(name, value(depth + 1));
    }
    at += 1;
    return Object.fromEntries(members);
  };
  const array = (depth: number): unknown[] => {
    const items: unknown[] = [];
    take('[');
    match(SPACE);
    while (text[at] !== ']') {
      if (items.length > 0) take(',');
      items.push(value(depth + 1));
    }
    at += 1;
    return items;
  };
  const one = (depth: number): unknown => {
    const char = text[at];
    if (char === '{') return object(depth);
    if (char === '[') return array(depth);
    if (char === '"') return string();
    for (const [word, meaning] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    const digits = match(NUMBER);
    if (digits === '') return refuse('not a JSON value', at);
    const number = Number(digits);
    return Number.isFinite(number) ? number : refuse('a number out of range', at);
  };
  const result = value(0);
  if (at !== text.length) refuse('text after the value', at);
  return result;
};

const isDeeper = (value: unknown, levels: number): boolean => {
  if (levels < 0) return true;
  if (typeof value !== 'object' || value === null) return false;
  for (const member of Array.isArray(value) ? value : Object.values(value)) if (isDeeper(member, levels - 1)) return true;
  return false;
};

/**
 * Most text was written by JSON.stringify, and the engine reads that three times faster. What comes out again exactly as it went in names no member twice and holds no
 * number that was changed. An escape by code could be a lone surrogate, and `__proto__` is nobody's member: those are for the reader, as is everything that is refused.
 */
const ifPlain = (text: string, maxDepth: number): { readonly value: unknown } | undefined => {
  if (text.includes('\\u') || text.includes('__proto__')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text && !isDeeper(value, maxDepth) ? { value } : undefined;
  } catch {
    return undefined; // the reader says what is wrong with it, and where
  }
};

export interface StrictJson {
  readonly value: unknown;
  /** The text, where it is exactly what JSON.stringify writes of the value: then the texts of its members stand in it (memberText). */
  readonly written: string | undefined;
}

const read = (text: string, maxDepth: number): StrictJson => {
  const plain = ifPlain(text, maxDepth);
  return plain === undefined ? { value: reader(text, maxDepth), written: undefined } : { value: plain.value, written: text };
};

/**
 * JSON as RFC 8259 with what I-JSON (RFC 7493) adds: UTF-8 without BOM, no duplicate members, no lone surrogates, and limits on size and depth.
 * @throws CordonError `json.too-large`, `json.refused`
 */
export const readStrictJson = (input: string | Uint8Array, { maxBytes, maxDepth }: JsonLimits): StrictJson => {
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > maxBytes) throw new CordonError('json.too-large', `${size} bytes; at most ${maxBytes} are accepted`);
  if (typeof input === 'string') return read(input, maxDepth);
  if (!isUtf8(input)) throw new CordonError('json.refused', 'not UTF-8');
  return read(Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('utf8'), maxDepth);
};

/** The value alone. @throws CordonError `json.too-large`, `json.refused` */
export const parseStrictJson = (input: string | Uint8Array, limits: JsonLimits): unknown => readStrictJson(input, limits).value;

/**
 * What JSON.stringify writes of a member, cut out of what it wrote of the whole: nothing large is written twice.
 * @param written what JSON.stringify writes of `value`, which has the member
 */
export const memberText = (value: Readonly<Record<string, unknown>>, name: string, written: string): string => {
  const names = Object.keys(value);
  const at = names.indexOf(name);
  const sizeOf = (part: readonly string[]): number =>
    part.reduce((sum, other) => sum + JSON.stringify(other).length + JSON.stringify(value[other]).length + 2, 0);
  return written.slice(1 + sizeOf(names.slice(0, at)) + JSON.stringify(name).length + 1, written.length - 1 - sizeOf(names.slice(at + 1)));
};
