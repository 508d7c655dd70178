/** Paths of plain HTTP requests, for rules with path prefixes: one form, and refusal of whatever servers read differently. */
import { CordonError } from '../errors.ts';

/**
 * @param text the path of a request target, with or without a query
 * @returns the path without its query, the same bytes
 * @throws CordonError `url.path` for dot segments, empty segments, encoded separators, dots or percent signs, backslashes, parameters and control characters
 */
export const canonicalUrlPath = (text: string): string => {
  const path = text.split('?')[0] ?? '';
  const refuse = (why: string): never => {
    throw new CordonError('url.path', `the path ${JSON.stringify(path.slice(0, 120))} ${why}, which servers read differently`, {
      place: path,
    });
  };
  if (!path.startsWith('/')) return refuse('does not begin with /');
  if (/[^\u0021-\u007e]|[\\;#]/.test(path)) refuse('holds a character');
  if (/%(?![0-9A-Fa-f]{2})|%(?:2[EeFf]|5[Cc]|25|[01][0-9A-Fa-f]|7[Ff]|3[Bb])/.test(path))
    refuse('holds an encoded separator, dot, percent sign or control character');
  if (/%(?:4[1-9A-Fa-f]|5[0-9A]|6[1-9A-Fa-f]|7[0-9A]|3[0-9]|2[Dd]|5[Ff]|7[Ee])/.test(path))
    refuse('encodes a character that needs no encoding');
  if (/\/\/|\/\.{1,2}(?:\/|$)/.test(path)) refuse('holds an empty or dot segment');
  return path;
};

/** Whether a canonical path lies below a prefix, segment by segment: `/api` covers `/api` and `/api/x`, not `/apis`. */
export const hasPrefix = (path: string, prefix: string): boolean =>
  path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
