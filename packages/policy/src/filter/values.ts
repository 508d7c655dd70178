/** What stands on the right of an operator, read as the field's kind demands. */
import { nearest } from '../document/issues.ts';
import { durationMs } from '../document/units.ts';
import { numbersOf } from './version.ts';
import { refuseAt, type Token } from './tokens.ts';
import type { Field, TimeValue, Value } from './filter.ts';

const NOW = /^now(?:(?<sign>[+-])(?<amount>\d{1,6}[smhd]))?$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z)?$/;

const timeOf = ({ text, column }: Token): TimeValue => {
  const { sign, amount } = NOW.exec(text)?.groups ?? {};
  if (amount !== undefined) return { fromNow: (sign === '-' ? -1 : 1) * durationMs(amount) };
  if (text === 'now') return { fromNow: 0 };
  const at = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  // A day that the month does not have is moved by the engine into the next one.
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(text.slice(0, 10)))
    return refuseAt(column, 'filter.value', `"${text}" is no time: write now-7d, now, 2026-01-31 or 2026-01-31T08:00Z (UTC)`);
  return { at };
};

const numberOf = ({ text, column }: Token): number => {
  const number = Number(text);
  if (!/^-?\d{1,15}(\.\d{1,6})?$/.test(text)) return refuseAt(column, 'filter.value', `"${text}" is no number`);
  return Object.is(number, -0) ? 0 : number;
};

const wordOf = ({ text, column }: Token, words: readonly string[]): string => {
  if (words.includes(text)) return text;
  const near = nearest(text, words);
  const meant = near === undefined ? '' : `; did you mean ${near}?`;
  return refuseAt(column, 'filter.value', `"${text}" is not one of ${words.join(', ')}${meant}`);
};

const versionOf = ({ text, column }: Token): string =>
  numbersOf(text) === undefined ? refuseAt(column, 'filter.value', `"${text}" is no version: write numbers with dots, as 1.20`) : text;

/** @throws CordonError `filter.value` */
export const valueOf = (token: Token, field: Field): Value => {
  switch (field.kind) {
    case 'time':
      return timeOf(token);
    case 'number':
      return numberOf(token);
    case 'flag':
      return wordOf(token, ['true', 'false']) === 'true';
    case 'word':
      return wordOf(token, field.words ?? []);
    case 'version':
      return versionOf(token);
    case 'text':
    case 'set':
      return token.text;
  }
};
