/** Keyset pagination `?limit&cursor` and `ETag`/`If-Match`, the same on every list and every write. */
import { Type, type Static, type TSchema, type TArray, type TNull, type TObject, type TString, type TUnion } from 'typebox';
import { badRequest, Refusal } from './errors.ts';
import type { IdPrefix } from './ids.ts';

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256, pattern: '^[A-Za-z0-9_-]+$' })),
  },
  { additionalProperties: false },
);
export type PageQuery = Static<typeof PageQuery>;

/** `/things/:id` */
export const ById = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' }) },
  { additionalProperties: false },
);

/** The schema of one page of a list. */
export const Page = <T extends TSchema>(item: T): TObject<{ items: TArray<T>; next: TUnion<[TString, TNull]> }> =>
  Type.Object({ items: Type.Array(item), next: Type.Union([Type.String(), Type.Null()]) }, { additionalProperties: false });

/** What the order of a list hangs on: a time and, for equal times, the id. */
export interface Key {
  readonly at: Date;
  readonly id: string;
}

/** Opaque to callers; its content is nothing they may not know. */
export const encodeCursor = ({ at, id }: Key): string => Buffer.from(`${at.toISOString()} ${id}`).toString('base64url');

const NOT_OURS = 'the cursor is not one that this list gave; leave it out to begin at the start';

/** @param prefix of the ids in the list, so that another list's cursor is refused. @throws Refusal request.cursor */
export const decodeCursor = (cursor: string, prefix: string): Key => {
  const [time = '', id = '', ...more] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const at = new Date(time);
  const [kind, ...rest] = id.split('_');
  const isOurs = more.length === 0 && !Number.isNaN(at.getTime()) && kind === prefix && /^[A-Za-z0-9_-]{1,60}$/.test(rest.join('_'));
  if (!isOurs || encodeCursor({ at, id }) !== cursor) throw badRequest('request.cursor', NOT_OURS, 'cursor');
  return { at, id };
};

/** For lists in the order of a number, whose cursor is that number. @throws Refusal request.cursor */
export const decodeNumber = (cursor: string | undefined, most: number): number | undefined => {
  if (cursor === undefined) return undefined;
  const number = Number(cursor);
  if (!/^[1-9][0-9]{0,15}$/.test(cursor) || number > most) throw badRequest('request.cursor', NOT_OURS, 'cursor');
  return number;
};

/** @param rows one more than `limit` if there are more */
export const pageOf = <Row, Item>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => Key,
  show: (row: Row) => Item,
): { items: Item[]; next: string | null } => {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items: items.map(show), next: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
};

/** Newest first. @returns the part of a Prisma `where` that continues after the cursor */
export const after = <Column extends string>(
  cursor: string | undefined,
  column: Column,
  prefix: IdPrefix | 'tok',
): { OR?: Record<string, unknown>[] } => {
  if (cursor === undefined) return {};
  const { at, id } = decodeCursor(cursor, prefix);
  return { OR: [{ [column]: { lt: at } }, { [column]: at, id: { lt: id } }] };
};

export const etagOf = (version: number): string => `"${version}"`;

/**
 * RFC 9110 §13.1.1. @param header the request's If-Match
 * @throws Refusal request.if-match-required (428) or request.stale (412)
 */
export const requireMatch = (header: string | undefined, version: number): void => {
  if (header === undefined)
    throw new Refusal(428, 'request.if-match-required', `send If-Match with the ETag of the version that you saw (now ${etagOf(version)})`);
  checkMatch(header, version);
};

/** As requireMatch, where a caller may leave the header out. */
export const checkMatch = (header: string | undefined, version: number): void => {
  if (header !== undefined && header !== '*' && header !== etagOf(version)) {
    throw new Refusal(412, 'request.stale', `it changed since you read it (now ${etagOf(version)}); read it again and repeat the change`);
  }
};
