import { CordonError } from '../errors.ts';

const PLAIN: ReadonlySet<unknown> = new Set([Object.prototype, null]);
/** Names that an object does not keep where they are put: what looks like an index comes first, and `__proto__` is no member. */
const MOVING = /^(?:0|[1-9]\d*|__proto__)$/;

const refuse = (message: string): never => {
  throw new CordonError('json.not-canonical', message);
};
/** Members in canonical order; one that is undefined is absent. */
const membersOf = (value: object): readonly (readonly [string, unknown])[] =>
  Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** The text of a value that was checked, put together member by member. */
const assemble = (value: unknown): string =>
  typeof value !== 'object' || value === null
    ? JSON.stringify(value)
    : Array.isArray(value)
      ? `[${value.map(assemble).join(',')}]`
      : `{${membersOf(value)
          .map(([name, member]) => `${JSON.stringify(name)}:${assemble(member)}`)
          .join(',')}}`;

/** Whether the engine would write it in canonical form as it is. Whatever is wrong with a value is not for this to say. */
const isCanonical = (value: unknown): boolean => {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return value === null || typeof value === 'boolean';
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) if (!isCanonical(value[i])) return false; // every() would pass over holes
    return true;
  }
  if (!PLAIN.has(Object.getPrototypeOf(value))) return false;
  let last: string | undefined;
  const members = value as Readonly<Record<string, unknown>>;
  // Names alone: pairs of names and members would be garbage for every member of everything that is hashed.
  for (const name of Object.keys(value)) {
    if ((last !== undefined && name < last) || !name.isWellFormed() || !isCanonical(members[name])) return false;
    last = name;
  }
  return true;
};

/**
 * JSON Canonicalization Scheme (RFC 8785): members sorted by UTF-16 code units, ECMAScript number and string forms, no white space.
 * For hash inputs only; no signature depends on parsing and writing again. A member that is undefined is absent.
 * @throws CordonError `json.not-canonical` for what I-JSON cannot carry: undefined, functions, non-finite numbers, lone surrogates, holes in
 * arrays, and objects of a class (a Date or Map would be hashed as {}, whatever it says)
 */
export const canonicalJson = (value: unknown): string => canonicalText(value, undefined);

/** The same, where it is known what JSON.stringify writes of the value: mostly that is it. */
export const canonicalText = (value: unknown, written: string | undefined): string => {
  if (isCanonical(value)) return written ?? JSON.stringify(value);
  let kept = true;
  /** A checked copy with its members in order, which the engine then writes at once: three times faster than to put text together. */
  const inOrder = (part: unknown): unknown => {
    switch (typeof part) {
      case 'string':
        return part.isWellFormed() ? part : refuse('a string holds a lone surrogate');
      case 'number':
        return Number.isFinite(part) ? part : refuse(`${part} is not a JSON number`);
      case 'boolean':
        return part;
      case 'object': {
        if (part === null) return null;
        if (Array.isArray(part)) return Array.from(part, inOrder);
        if (!PLAIN.has(Object.getPrototypeOf(part))) return refuse('only plain objects have a JSON form');
        const copy: Record<string, unknown> = {};
        for (const [name, member] of membersOf(part)) {
          if (!name.isWellFormed()) refuse('a string holds a lone surrogate');
          kept &&= !MOVING.test(name);
          copy[name] = inOrder(member);
        }
        return copy;
      }
      case 'undefined':
      case 'function':
      case 'symbol':
      case 'bigint':
      default:
        return refuse(`a ${typeof part} has no JSON form`);
    }
  };
  const copy = inOrder(value);
  return kept ? JSON.stringify(copy) : assemble(value);
};
