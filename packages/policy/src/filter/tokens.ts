/** Words, signs and quoted texts of a filter, each with the column at which it begins (from 1). */
import { CordonError } from '../errors.ts';

export interface Token {
  readonly kind: 'word' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly column: number;
}

export const MAX_FILTER = 2_000;

/** What no text of a thing holds either; a database would refuse it, or read something else. */
const UNWANTED = /[\p{Cc}\p{Cs}]/u;

/** @throws CordonError with that code, its place being the column */
export const refuseAt = (column: number, code: string, message: string): never => {
  throw new CordonError(code, `column ${column}: ${message}`, { place: `column ${column}` });
};

// A word begins with a letter, a digit or a dot of a file name; signs that compare end it.
const TOKEN = /\s*(?:(?<sign><=|>=|!=|[=<>(),])|"(?<text>(?:[^"\\]|\\["\\])*)"|(?<word>[^\s"=<>!(),]+))/uy;

/** @throws CordonError `filter.too-long|syntax` */
export const tokens = (filter: string): readonly Token[] => {
  if (filter.length > MAX_FILTER) refuseAt(MAX_FILTER + 1, 'filter.too-long', `a filter has at most ${MAX_FILTER} characters`);
  const strange = filter.search(UNWANTED);
  if (strange !== -1) refuseAt(strange + 1, 'filter.syntax', 'control characters and halves of characters are not understood');
  const found: Token[] = [];
  const pattern = new RegExp(TOKEN);
  const end = filter.trimEnd().length;
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const { groups = {}, 0: whole = '' } = pattern.exec(filter) ?? {};
    const column = from + 1 + (filter.slice(from).length - filter.slice(from).trimStart().length);
    if (whole === '') refuseAt(column, 'filter.syntax', problemOf(filter.slice(column - 1)));
    const { sign, text, word } = groups;
    if (sign !== undefined) found.push({ kind: 'sign', text: sign, column });
    else if (text !== undefined) found.push({ kind: 'text', text: text.replaceAll(/\\(["\\])/g, '$1'), column });
    else found.push({ kind: 'word', text: word ?? '', column });
  }
  return [...found, { kind: 'end', text: '', column: end + 1 }];
};

const problemOf = (rest: string): string =>
  rest.startsWith('"')
    ? 'this text has no closing quote (within it, write \\" for a quote and \\\\ for a backslash)'
    : `"${rest.charAt(0)}" is not understood here; write "!=" for other than, and put texts with signs into quotes`;
