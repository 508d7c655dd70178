/** For what outlives a request: which of the tokens that opened it may not be used any more. */
import type { Context } from '../context.ts';
import { findUnusable } from './store.ts';

/** One query, however many there are. @returns the ids of those that may not, and why */
export const endedTokens = async (
  { prisma, clock }: Pick<Context, 'prisma' | 'clock'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, 'auth.token-revoked' | 'auth.token-expired'>> =>
  new Map(
    (await findUnusable(prisma, ids, clock())).map(({ id, revokedAt }) => [
      id,
      revokedAt === null ? 'auth.token-expired' : 'auth.token-revoked',
    ]),
  );
