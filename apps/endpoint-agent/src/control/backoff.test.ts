import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { backoff } from './backoff.ts';

describe('backoff', () => {
  it('is random between nothing and a window that doubles up to five minutes', () => {
    expect([0, 1, 2, 8, 9, 50, 10_000].map((attempt) => backoff(attempt, 0.999_999_999))).toEqual([
      999, 1999, 3999, 255_999, 299_999, 299_999, 299_999,
    ]);
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const ms = backoff(attempt, random);
        expect(Number.isSafeInteger(ms) && ms >= 0 && ms <= 300_000).toBe(true);
      }),
      { numRuns: LAW_RUNS },
    );
    expect(backoff(20, 0)).toBe(0);
  });
});
