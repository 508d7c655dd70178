import type { Tx } from '../context.ts';
import type { EnrollmentToken, PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';

export const insertToken = (tx: Tx, token: Omit<EnrollmentToken, 'uses' | 'revokedAt'>): Promise<EnrollmentToken> =>
  tx.enrollmentToken.create({ data: token });

export const findToken = (prisma: Tx | PrismaClient, id: string): Promise<EnrollmentToken | null> =>
  prisma.enrollmentToken.findUnique({ where: { id } });

export const listTokens = (prisma: PrismaClient, limit: number, cursor: string | undefined): Promise<EnrollmentToken[]> =>
  prisma.enrollmentToken.findMany({
    where: after(cursor, 'createdAt', 'ent'),
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });

/** @returns whether it was in force until now */
export const revokeToken = async (tx: Tx, id: string, at: Date): Promise<boolean> =>
  (await tx.enrollmentToken.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: at } })).count === 1;

/** One statement decides and counts, so no number of callers at once can use a token more often than it allows. */
export const consumeToken = async (
  tx: Tx,
  id: string,
  now: Date,
): Promise<{ readonly groupId: string | null; readonly approval: boolean } | undefined> => {
  const rows = await tx.$queryRaw<{ groupId: string | null; approval: boolean }[]>`
    UPDATE enrollment_token SET uses = uses + 1
    WHERE id = ${id} AND uses < max_uses AND revoked_at IS NULL AND expires_at > ${now}
    RETURNING group_id AS "groupId", approval`;
  return rows[0];
};
