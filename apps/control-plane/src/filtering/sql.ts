/** A filter as a condition of SQL, whose three values are those of the grammar. What an admin wrote only ever becomes parameters. */
import type { FieldKind, Fields, Filter, Operator, Value } from '@cordon/policy/filter/filter.ts';
import { numbersOf } from '@cordon/policy/filter/version.ts';
import { Prisma } from '../db/generated/client.ts';

/** For each field the expression that gives it: text, timestamptz, double precision, boolean, or text[]; NULL where it is not known. */
export type Columns<F extends Fields = Fields> = Readonly<Record<keyof F & string, Prisma.Sql>>;

const SIGN: Readonly<Partial<Record<Operator, Prisma.Sql>>> = {
  '=': Prisma.sql`=`,
  '!=': Prisma.sql`<>`,
  '<': Prisma.sql`<`,
  '<=': Prisma.sql`<=`,
  '>': Prisma.sql`>`,
  '>=': Prisma.sql`>=`,
};
/** A to Z only, as `evaluate` does it: what lower() makes of other letters hangs on the database's language. */
const lower = (text: Prisma.Sql): Prisma.Sql => Prisma.sql`translate(${text}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')`;

/** As `numbersOf`: NULL where there are none. */
const numbers = (text: Prisma.Sql): Prisma.Sql => {
  const leading = Prisma.sql`regexp_replace(substring(${text} from '^[0-9]+(?:\\.[0-9]+)*'), '(?:\\.0+)+$', '')`;
  return Prisma.sql`CASE WHEN ${leading} ~ '^[0-9]{1,9}(?:\\.[0-9]{1,9}){0,15}$' THEN string_to_array(${leading}, '.')::int[] END`;
};

const parameter = (value: Value, kind: FieldKind, now: Date): Prisma.Sql => {
  if (typeof value === 'object') return Prisma.sql`${new Date('at' in value ? value.at : now.getTime() + value.fromNow)}::timestamptz`;
  if (kind === 'version') return Prisma.sql`${[...(numbersOf(String(value)) ?? [])]}::int[]`;
  if (typeof value === 'number') return Prisma.sql`${value}::double precision`;
  return typeof value === 'boolean' ? Prisma.sql`${value}::boolean` : Prisma.sql`${value}::text`;
};

const compare = (column: Prisma.Sql, operator: Operator, value: Value, kind: FieldKind, now: Date): Prisma.Sql => {
  const given = parameter(value, kind, now);
  if (kind === 'set') return Prisma.sql`${given} = ANY(${column})`;
  if (operator === 'contains') return Prisma.sql`position(${lower(given)} IN ${lower(column)}) > 0`;
  if (operator === 'startsWith') return Prisma.sql`starts_with(${lower(column)}, ${lower(given)})`;
  return Prisma.sql`${kind === 'version' ? numbers(column) : column} ${SIGN[operator] ?? Prisma.sql`=`} ${given}`;
};

/** @param columns and fields: of what `filter` was parsed for */
export const filterSql = (filter: Filter, fields: Fields, columns: Readonly<Record<string, Prisma.Sql>>, now: Date): Prisma.Sql => {
  if ('parts' in filter) {
    const parts = filter.parts.map((part) => filterSql(part, fields, columns, now));
    return Prisma.sql`(${Prisma.join(parts, filter.kind === 'and' ? ' AND ' : ' OR ')})`;
  }
  if ('of' in filter) return Prisma.sql`(NOT ${filterSql(filter.of, fields, columns, now)})`;
  const [column, kind] = [columns[filter.field], fields[filter.field]?.kind];
  if (column === undefined || kind === undefined) throw new Error(`the field ${filter.field} has no column`);
  if (filter.kind === 'known') return Prisma.sql`(${column} IS NOT NULL)`;
  const values = filter.kind === 'in' ? filter.values : [filter.value];
  const operator = filter.kind === 'in' ? '=' : filter.operator;
  const asked = values.map((value) => compare(column, operator, value, kind, now));
  return Prisma.sql`(${Prisma.join(asked, ' OR ')})`;
};
