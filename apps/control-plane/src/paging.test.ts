import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { after, checkMatch, decodeCursor, decodeNumber, encodeCursor, etagOf, pageOf, requireMatch, type Key } from './paging.ts';

const key: fc.Arbitrary<Key> = fc.record({
  at: fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
  id: fc.stringMatching(/^grp_[A-Za-z0-9_-]{1,40}$/),
});
const refused = expect.objectContaining({ code: 'request.cursor', status: 400 });

describe('a cursor', () => {
  it('comes back as the place that it is, in its own list', () =>
    fc.assert(
      fc.property(key, (one) => {
        expect(decodeCursor(encodeCursor(one), 'grp')).toEqual(one);
        expect(encodeCursor(one)).toMatch(/^[\w-]+$/);
      }),
      { numRuns: LAW_RUNS },
    ));

  it('of another list is refused, and so is whatever no list gave', () => {
    const ours = encodeCursor({ at: new Date(0), id: 'grp_1' });
    expect(() => decodeCursor(ours, 'dev')).toThrow(refused);
    const text = (plain: string): string => Buffer.from(plain).toString('base64url');
    for (const wrong of [
      '',
      'nonsense',
      ours.slice(0, -1),
      `${ours}A`,
      text('1970-01-01T00:00:00.000Z'),
      text('1970-01-01T00:00:00.000Z '),
      text('1970-01-01 grp_1'),
      text('1970-01-01T00:00:00.000Z grp_1 boot 5'),
      text('1970-01-01T00:00:00.000Z grp_\0'),
      text("1970-01-01T00:00:00.000Z grp_1' OR 1=1"),
      text('never grp_1'),
    ])
      expect(() => decodeCursor(wrong, 'grp'), wrong).toThrow(refused);
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (any) => {
        try {
          expect(encodeCursor(decodeCursor(any, 'grp'))).toBe(any);
        } catch (error) {
          expect(error).toEqual(refused);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('that is a number is one, and not too large', () => {
    expect(decodeNumber(undefined, 10)).toBeUndefined();
    expect(decodeNumber('10', 10)).toBe(10);
    for (const wrong of ['', '0', '-1', '01', '1.5', '11', '1e1', 'x', ' 1', '99999999999999999'])
      expect(() => decodeNumber(wrong, 10), wrong).toThrow(refused);
  });
});

describe('pages', () => {
  /** The list as a database gives it: newest first, what comes after the cursor, one more than asked for. */
  const ask = (rows: readonly Key[], limit: number, cursor: string | undefined) => {
    const where = after(cursor, 'at', 'grp').OR as [{ at: { lt: Date } }, { at: Date; id: { lt: string } }] | undefined;
    const isAfter = (row: Key): boolean =>
      where === undefined || row.at < where[0].at.lt || (row.at.getTime() === where[1].at.getTime() && row.id < where[1].id.lt);
    const sorted = rows.toSorted((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1));
    return pageOf(
      sorted.filter(isAfter).slice(0, limit + 1),
      limit,
      (row) => row,
      (row) => row.id,
    );
  };

  it('hold every row once, also those of the same time, however long they are', () => {
    const sameTimes = fc.record({ at: fc.integer({ min: 0, max: 3 }).map((n) => new Date(n)), id: fc.stringMatching(/^grp_[a-z]{1,3}$/) });
    fc.assert(
      fc.property(fc.uniqueArray(sameTimes, { selector: ({ id }) => id, maxLength: 30 }), fc.integer({ min: 1, max: 7 }), (rows, limit) => {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const { items, next } = ask(rows, limit, cursor);
          expect(items.length).toBeLessThanOrEqual(limit);
          if (next !== null) expect(items).toHaveLength(limit);
          seen.push(...items);
          cursor = next ?? undefined;
        } while (cursor !== undefined);
        expect(seen.toSorted()).toEqual(rows.map(({ id }) => id).sort());
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('If-Match', () => {
  const status = (work: () => void): number => {
    try {
      work();
      return 200;
    } catch (error) {
      return (error as { status: number }).status;
    }
  };
  it('lets through the version that was seen, or any, and no other', () => {
    for (const check of [requireMatch, checkMatch]) {
      expect(status(() => check(etagOf(3), 3))).toBe(200);
      expect(status(() => check('*', 3))).toBe(200);
      for (const other of [etagOf(2), etagOf(4), '3', 'W/"3"', ''])
        expect(
          status(() => check(other, 3)),
          other,
        ).toBe(412);
    }
  });
  it('may be left out only where it is not demanded', () => {
    expect(status(() => requireMatch(undefined, 3))).toBe(428);
    expect(status(() => checkMatch(undefined, 3))).toBe(200);
  });
});
