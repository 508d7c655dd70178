/** What a state means for runs beside its content: exceptions end and policies expire by themselves. */
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';

/** @returns the same text for as long as the state means the same */
export const ageOf = ({ digest, epoch, cohort, freshness, exceptions, judgedAt }: VerifiedState): string =>
  [
    digest,
    epoch,
    cohort,
    freshness === 'expired',
    ...exceptions.filter(({ expiresAt }) => expiresAt > judgedAt.getTime()).map(({ id }) => id),
  ].join(' ');
