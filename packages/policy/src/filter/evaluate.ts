/** Whether a filter holds of one thing: yes, no, or not to be known (Kleene's three values, as SQL's NULL). */
import type { FieldKind, Fields, Filter, Operator, TimeValue, Value } from './filter.ts';
import { compareNumbers, numbersOf } from './version.ts';

/** A text, word or version as text; an instant as milliseconds; a set as its texts. What is not known is undefined. */
export type Fact = string | number | boolean | readonly string[] | undefined;
export type Facts = Readonly<Record<string, Fact>>;
export type Verdict = boolean | undefined;

/** A to Z only: the same everywhere, whatever the language of a database. */
const lower = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
const instant = (value: TimeValue, now: number): number => ('at' in value ? value.at : now + value.fromNow);

/** Whether two things that differ so much (as for sorting) stand to each other as the operator says. */
const ORDERED: Readonly<Partial<Record<Operator, (difference: number) => boolean>>> = {
  '=': (difference) => difference === 0,
  '!=': (difference) => difference !== 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
};
const ordered = (operator: Operator, difference: number): Verdict => ORDERED[operator]?.(difference);

const compareTexts = (fact: string, operator: Operator, value: string): Verdict => {
  if (operator === 'contains') return lower(fact).includes(lower(value));
  if (operator === 'startsWith') return lower(fact).startsWith(lower(value));
  return (fact === value) === (operator === '=');
};

const compareVersions = (fact: string, operator: Operator, value: string): Verdict => {
  const [a, b] = [numbersOf(fact), numbersOf(value)];
  return a === undefined || b === undefined ? undefined : ordered(operator, compareNumbers(a, b));
};

/** A fact of another kind than its field says is as good as none. */
const compare = (fact: Fact, operator: Operator, value: Value, kind: FieldKind | undefined, now: number): Verdict => {
  if (typeof fact === 'number' && typeof value === 'object') return ordered(operator, fact - instant(value, now));
  if (typeof fact === 'number' && typeof value === 'number') return ordered(operator, fact - value);
  if (typeof fact === 'boolean' && typeof value === 'boolean') return (fact === value) === (operator === '=');
  if (typeof value !== 'string') return undefined;
  if (typeof fact === 'string') return kind === 'version' ? compareVersions(fact, operator, value) : compareTexts(fact, operator, value);
  return typeof fact === 'object' ? fact.includes(value) : undefined;
};

const not = (verdict: Verdict): Verdict => (verdict === undefined ? undefined : !verdict);
/** `and` is false as soon as one part is, whatever is not known; `or` is true likewise. */
const joined = (verdicts: readonly Verdict[], decides: boolean): Verdict =>
  verdicts.includes(decides) ? decides : verdicts.includes(undefined) ? undefined : !decides;

/** @param now milliseconds since 1970. @returns undefined where the answer hangs on a fact that is not known */
export const evaluate = (filter: Filter, facts: Facts, fields: Fields, now: number): Verdict => {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return joined(
        filter.parts.map((part) => evaluate(part, facts, fields, now)),
        filter.kind === 'or',
      );
    case 'not':
      return not(evaluate(filter.of, facts, fields, now));
    case 'known':
      return facts[filter.field] !== undefined;
    case 'in':
      return joined(
        filter.values.map((value) => compare(facts[filter.field], '=', value, fields[filter.field]?.kind, now)),
        true,
      );
    case 'compare':
      return compare(facts[filter.field], filter.operator, filter.value, fields[filter.field]?.kind, now);
  }
};
