import { describe, expect, it } from 'vitest';
import { mayEnd, STANDINGS, standingOf } from './standing.ts';

const at = new Date('2026-11-24T10:00:00.000Z');

describe('where a device stands', () => {
  it.each([
    ['pending', { approvedAt: null, revokedAt: null, endedAs: null }],
    ['active', { approvedAt: at, revokedAt: null, endedAs: null }],
    ['revoked', { approvedAt: at, revokedAt: at, endedAs: 'revoked' }],
    ['retired', { approvedAt: at, revokedAt: at, endedAs: 'retired' }],
    ['rejected', { approvedAt: null, revokedAt: at, endedAs: 'rejected' }],
    ['revoked', { approvedAt: at, revokedAt: at, endedAs: null }],
    ['revoked', { approvedAt: null, revokedAt: at, endedAs: 'something else' }],
  ] as const)('is %s', (standing, facts) => {
    expect(standingOf(facts)).toBe(standing);
  });

  it('comes to an end once, and never back', () => {
    const ends = STANDINGS.map((from) => [from, (['revoked', 'retired', 'rejected'] as const).filter((end) => mayEnd(from, end))]);
    expect(Object.fromEntries(ends)).toEqual({
      pending: ['revoked', 'retired', 'rejected'],
      active: ['revoked', 'retired'],
      revoked: ['retired'],
      retired: [],
      rejected: [],
    });
  });
});
