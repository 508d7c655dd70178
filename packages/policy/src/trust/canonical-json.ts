import { CordonError } from '../errors.ts';

/**
 * JSON Canonicalization Scheme (RFC 8785): members sorted by UTF-16 code units, ECMAScript number and string forms, no white space.
 * For hash inputs only; no signature depends on parsing and writing again.
 * @throws CordonError `json.not-canonical` for what I-JSON cannot carry: undefined, functions, non-finite numbers, lone surrogates
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
      if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
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
