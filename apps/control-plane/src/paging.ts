/** Keyset pagination `?limit&cursor` and `ETag`/`If-Match`, the same on every list and every write. */
import { Type, type Static, type TSchema, type TArray, type TNull, type TObject, type TString, type TUnion } from 'typebox';
import { badRequest, Refusal } from './errors.ts';

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

/** @throws Refusal request.cursor */
export const decodeCursor = (cursor: string): Key => {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const at = new Date(time);
  if (Number.isNaN(at.getTime()) || id === '')
    throw badRequest('request.cursor', 'the cursor is not one that a list gave; leave it out to begin at the start', 'cursor');
  return { at, id };
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
export const after = <Column extends string>(cursor: string | undefined, column: Column): { OR?: Record<string, unknown>[] } => {
  if (cursor === undefined) return {};
  const { at, id } = decodeCursor(cursor);
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
