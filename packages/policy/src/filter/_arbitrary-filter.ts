/** Filters and things to be filtered, for laws. A helper of tests. */
import fc from 'fast-check';
import type { Facts } from './evaluate.ts';
import { OPERATORS, type Field, type Fields, type Filter, type Operator, type Value } from './filter.ts';

export const FIELDS = {
  name: { kind: 'text', description: 'a name' },
  os: { kind: 'word', words: ['linux', 'macos', 'windows'], description: 'a system' },
  agentVersion: { kind: 'version', description: 'a version' },
  lastSeen: { kind: 'time', description: 'an instant' },
  count: { kind: 'number', description: 'a number' },
  pending: { kind: 'flag', description: 'yes or no' },
  tags: { kind: 'set', description: 'some texts' },
} as const satisfies Fields;

const text = fc.oneof(
  fc.constantFrom('a', 'A', 'ab', 'and', 'now', '', 'ä', 'Ä', 'İ', '%', '_', '"', '\\', ' ', '(', "'", '🙂'),
  fc.string({ unit: 'grapheme', maxLength: 8 }).filter((one) => !/[\p{Cc}\p{Cs}]/u.test(one)),
);
const version = fc
  .array(fc.constantFrom('0', '1', '2', '10', '007'), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('.'))
  .chain((numbers) => fc.constantFrom(numbers, `${numbers}-rc.1`));
const DAY = 86_400_000;
export const NOW = Date.UTC(2026, 10, 24, 12);
const time = fc.integer({ min: -3, max: 3 }).map((days) => NOW + days * DAY);
const number = fc.integer({ min: -3, max: 3 });

const valueFor = (field: Field): fc.Arbitrary<Value> => {
  switch (field.kind) {
    case 'time':
      return fc.oneof(
        time.map((at) => ({ at })),
        fc.integer({ min: -3, max: 3 }).map((days) => ({ fromNow: days === 0 ? 0 : days * DAY })),
      );
    case 'number':
      return number;
    case 'flag':
      return fc.boolean();
    case 'word':
      return fc.constantFrom(...(field.words ?? []));
    case 'version':
      return version;
    case 'text':
    case 'set':
      return text;
  }
};

const comparison = fc.constantFrom(...Object.entries<Field>(FIELDS)).chain(([field, one]): fc.Arbitrary<Filter> => {
  const operators = OPERATORS[one.kind].filter((operator): operator is Operator => operator !== 'in');
  const compare = fc
    .tuple(fc.constantFrom(...operators), valueFor(one))
    .map(([operator, value]): Filter => ({ kind: 'compare', field, operator, value }));
  const known = fc.constant<Filter>({ kind: 'known', field });
  const among = fc.array(valueFor(one), { minLength: 1, maxLength: 3 }).map((values): Filter => ({ kind: 'in', field, values }));
  return OPERATORS[one.kind].includes('in') ? fc.oneof(compare, known, among) : fc.oneof(compare, known);
});

export const arbitraryFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    comparison,
    tie('filter').map((of): Filter => ({ kind: 'not', of })),
    fc
      .tuple(fc.constantFrom<'and' | 'or'>('and', 'or'), fc.array(tie('filter'), { minLength: 2, maxLength: 3 }))
      .map(([kind, parts]): Filter => ({ kind, parts })),
  ),
})).filter;

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined, freq: 3 });
export const arbitraryFacts: fc.Arbitrary<Facts & { readonly [name in keyof typeof FIELDS]: unknown }> = fc.record({
  name: maybe(text),
  os: maybe(fc.constantFrom('linux', 'macos', 'windows')),
  agentVersion: maybe(fc.oneof(version, fc.constantFrom('', 'nightly', '1.9999999999', 'v1'))),
  lastSeen: maybe(time),
  count: maybe(number),
  pending: maybe(fc.boolean()),
  tags: maybe(fc.array(text, { maxLength: 3 })),
});
