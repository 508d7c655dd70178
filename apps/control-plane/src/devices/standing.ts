/** Where a device stands between its enrollment and its end. Pure. */

export const STANDINGS = ['pending', 'active', 'revoked', 'retired', 'rejected'] as const;
/**
 * - pending: it has an id and a key, and waits for an administrator; no place, no policy.
 * - revoked: no session any more; it enforces what it has until that expires.
 * - retired, rejected: tombstones. Id and key are never used again.
 */
export type Standing = (typeof STANDINGS)[number];
export type End = 'revoked' | 'retired' | 'rejected';

export const isStanding = (text: string | undefined): text is Standing => STANDINGS.some((standing) => standing === text);

export interface StandingFacts {
  readonly approvedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly endedAs: string | null;
}

export const standingOf = ({ approvedAt, revokedAt, endedAs }: StandingFacts): Standing => {
  if (revokedAt !== null) return isStanding(endedAs ?? undefined) ? (endedAs as End) : 'revoked';
  return approvedAt === null ? 'pending' : 'active';
};

/** Which standings an end can follow. What was rejected has never been anything that could be retired. */
const ENDS: Readonly<Record<End, readonly Standing[]>> = {
  revoked: ['active', 'pending'],
  retired: ['active', 'pending', 'revoked'],
  rejected: ['pending'],
};

export const mayEnd = (standing: Standing, end: End): boolean => ENDS[end].includes(standing);
