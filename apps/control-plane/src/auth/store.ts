import type { Tx } from '../context.ts';
import type { ApiToken, PrismaClient } from '../db/generated/client.ts';
import type { Role } from './permissions.ts';
import { after } from '../paging.ts';

const NOTE_EVERY_MS = 60_000;

export const findToken = (prisma: Tx | PrismaClient, id: string): Promise<ApiToken | null> => prisma.apiToken.findUnique({ where: { id } });

/** At most one write a minute and token, not one a request. */
export const noteUse = async (prisma: PrismaClient, token: ApiToken | null, now: Date): Promise<void> => {
  if (token === null || (token.lastUsedAt !== null && now.getTime() - token.lastUsedAt.getTime() < NOTE_EVERY_MS)) return;
  await prisma.apiToken.updateMany({ where: { id: token.id, lastUsedAt: token.lastUsedAt }, data: { lastUsedAt: now } });
};

/** Of these tokens: those that are revoked, expired or not there. */
export const findUnusable = (prisma: PrismaClient, ids: readonly string[], now: Date): Promise<{ id: string; revokedAt: Date | null }[]> =>
  prisma.apiToken.findMany({
    where: { id: { in: [...ids] }, OR: [{ revokedAt: { not: null } }, { expiresAt: { lte: now } }] },
    select: { id: true, revokedAt: true },
  });

export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly secretHash: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

export const insertToken = (tx: Tx, token: NewToken): Promise<ApiToken> => tx.apiToken.create({ data: token });

export const listTokens = (prisma: PrismaClient, limit: number, cursor: string | undefined): Promise<ApiToken[]> =>
  prisma.apiToken.findMany({ where: after(cursor, 'createdAt', 'tok'), orderBy: [{ createdAt: 'desc' }, { id: 'desc' }], take: limit + 1 });

/** @returns whether it was in force until now */
export const revokeToken = async (tx: Tx, id: string, at: Date): Promise<boolean> =>
  (await tx.apiToken.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: at } })).count === 1;

/** Whoever makes the first owner or revokes one waits here: two that look at the same moment would each see the other's. Ends with the transaction. */
export const lockOwners = async (tx: Tx): Promise<void> => {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(1129272402, 5)`;
};

export const countUsableOwners = (tx: Tx, now: Date): Promise<number> =>
  tx.apiToken.count({ where: { role: 'owner', revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] } });
