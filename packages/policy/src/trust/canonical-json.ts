import { CordonError } from '../errors.ts';

const PLAIN: ReadonlySet<unknown> = new Set([Object.prototype, null]);

/**
 * JSON Canonicalization Scheme (RFC 8785): members sorted by UTF-16 code units, ECMAScript number and string forms, no white space.
 * For hash inputs only; no signature depends on parsing and writing again. A member that is undefined is absent.
 * @throws CordonError `json.not-canonical` for what I-JSON cannot carry: undefined, functions, non-finite numbers, lone surrogates, holes in
 * arrays, and objects of a class (a Date or Map would be hashed as {}, whatever it says)
 */
export const canonicalJson = (value: unknown): string => {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new CordonError('json.not-canonical', 'a string holds a lone surrogate');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new CordonError('json.not-canonical', `${value} is not a JSON number`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`;
      if (!PLAIN.has(Object.getPrototypeOf(value))) throw new CordonError('json.not-canonical', 'only plain objects have a JSON form');
      return `{${Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`)
        .join(',')}}`;
    case 'undefined':
    case 'function':
    case 'symbol':
    case 'bigint':
    default:
      throw new CordonError('json.not-canonical', `a ${typeof value} has no JSON form`);
  }
};
