/** From the text of a filter to what it asks. Whatever is wrong is told with its column. */
import { nearest } from '../document/issues.ts';
import { OPERATORS, ORDER, type Field, type Fields, type Filter, type Operator, type Value } from './filter.ts';
import { refuseAt, tokens, type Token } from './tokens.ts';
import { valueOf } from './values.ts';

export const MAX_COMPARISONS = 100;
const MAX_DEPTH = 32;
const MAX_VALUES = 200;
const SIGNS: readonly string[] = ORDER;
const WORDS = ['contains', 'startsWith', 'in', 'is'] as const;

/**
 * @param fields what can be asked of the things that are filtered
 * @throws CordonError `filter.too-long|syntax|field|operator|value|too-many`, its place being the column
 */
export const parseFilter = (text: string, fields: Fields): Filter => {
  const rest = [...tokens(text)];
  let comparisons = 0;
  const peek = (): Token => rest[0] ?? { kind: 'end', text: '', column: text.length + 1 };
  const take = (): Token => {
    const token = peek();
    rest.shift();
    return token;
  };
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text.toLowerCase() === word.toLowerCase();
  const isSign = (sign: string): boolean => peek().kind === 'sign' && peek().text === sign;
  const unexpected = (wanted: string): never => {
    const { kind, text: found, column } = peek();
    return refuseAt(column, 'filter.syntax', `expected ${wanted}, not ${kind === 'end' ? 'the end of the filter' : JSON.stringify(found)}`);
  };
  const takeSign = (sign: string, wanted: string): void => {
    if (!isSign(sign)) unexpected(wanted);
    take();
  };

  const takeField = (): { readonly name: string; readonly field: Field } => {
    const { kind, text: name, column } = peek();
    if (kind !== 'word') unexpected('a field');
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field !== undefined) {
      take();
      return { name, field };
    }
    const near = nearest(name, Object.keys(fields));
    const hint = near === undefined ? `the fields are ${Object.keys(fields).join(', ')}` : `did you mean ${near}?`;
    return refuseAt(column, 'filter.field', `there is no field "${name.slice(0, 64)}"; ${hint}`);
  };

  const takeValue = (field: Field): Value => {
    const token = peek();
    if (token.kind !== 'word' && token.kind !== 'text') unexpected('a value');
    take();
    return valueOf(token, field);
  };

  const takeOperator = (name: string, { kind }: Field): Operator | 'in' | 'is' => {
    const { kind: shape, text: found, column } = peek();
    const word = shape === 'word' ? WORDS.find((one) => one.toLowerCase() === found.toLowerCase()) : undefined;
    const operator = shape === 'sign' && SIGNS.includes(found) ? (found as Operator) : word;
    if (operator === undefined) return unexpected(`an operator after ${name} (${OPERATORS[kind].join(', ')}, is)`);
    if (operator !== 'is' && !OPERATORS[kind].includes(operator))
      refuseAt(column, 'filter.operator', `"${operator}" says nothing of ${name}; for it there are ${OPERATORS[kind].join(', ')} and is`);
    take();
    return operator;
  };

  const takeList = (field: Field): readonly Value[] => {
    takeSign('(', '"(" and the values');
    const values = [takeValue(field)];
    while (isSign(',')) {
      const { column } = take();
      if (values.length === MAX_VALUES) refuseAt(column, 'filter.too-many', `at most ${MAX_VALUES} values can be in one list`);
      values.push(takeValue(field));
    }
    takeSign(')', '"," or ")"');
    return values;
  };

  const comparison = (): Filter => {
    const { column } = peek();
    comparisons += 1;
    if (comparisons > MAX_COMPARISONS) refuseAt(column, 'filter.too-many', `a filter has at most ${MAX_COMPARISONS} comparisons`);
    const { name, field } = takeField();
    const operator = takeOperator(name, field);
    if (operator === 'in') return { kind: 'in', field: name, values: takeList(field) };
    if (operator !== 'is') return { kind: 'compare', field: name, operator, value: takeValue(field) };
    const isKnown = isWord('known');
    if (!isKnown && !isWord('unknown')) unexpected('known or unknown');
    take();
    const known: Filter = { kind: 'known', field: name };
    return isKnown ? known : { kind: 'not', of: known };
  };

  const not = (depth: number): Filter => {
    if (depth > MAX_DEPTH) refuseAt(peek().column, 'filter.too-many', `a filter is nested at most ${MAX_DEPTH} deep`);
    if (isWord('not')) {
      take();
      return { kind: 'not', of: not(depth + 1) };
    }
    if (!isSign('(')) return comparison();
    take();
    const inner = joined('or', depth + 1);
    takeSign(')', '"and", "or" or ")"');
    return inner;
  };

  const joined = (kind: 'and' | 'or', depth: number): Filter => {
    const part = (): Filter => (kind === 'or' ? joined('and', depth) : not(depth));
    const parts = [part()];
    while (isWord(kind)) {
      take();
      parts.push(part());
    }
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : { kind, parts };
  };

  const filter = joined('or', 0);
  if (peek().kind !== 'end') unexpected('"and", "or" or the end');
  return filter;
};
