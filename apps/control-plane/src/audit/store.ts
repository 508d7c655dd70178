import type { Tx } from '../context.ts';
import type { AuditEntry, Prisma, PrismaClient } from '../db/generated/client.ts';

/** Two replicas must not both follow the same predecessor. Released with the transaction. */
export const lockChain = async (tx: Tx): Promise<void> => {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(1129272402, 4)`;
};

export const lastEntry = (tx: Tx): Promise<AuditEntry | null> => tx.auditEntry.findFirst({ orderBy: { seq: 'desc' } });

export const insertEntry = async (tx: Tx, entry: Omit<Prisma.AuditEntryCreateInput, 'seq'> & { readonly seq: number }): Promise<void> => {
  await tx.auditEntry.create({ data: entry });
};

/** Newest first. @param before only entries with a smaller number */
export const listEntries = (
  prisma: PrismaClient,
  { actor, action, subject }: { readonly actor?: string; readonly action?: string; readonly subject?: string },
  before: number | undefined,
  take: number,
): Promise<AuditEntry[]> =>
  prisma.auditEntry.findMany({
    where: {
      ...(before !== undefined && { seq: { lt: before } }),
      ...(actor !== undefined && { actor }),
      ...(action !== undefined && { action }),
      ...(subject !== undefined && { subject }),
    },
    orderBy: { seq: 'desc' },
    take,
  });

/** Oldest first, from after a number to another one included. */
export const entriesAfter = (prisma: PrismaClient, after: number, last: number, take: number): Promise<AuditEntry[]> =>
  prisma.auditEntry.findMany({ where: { seq: { gt: after, lte: last } }, orderBy: { seq: 'asc' }, take });

export const hasEntryOf = async (tx: Tx, action: string): Promise<boolean> =>
  (await tx.auditEntry.findFirst({ where: { action }, select: { seq: true } })) !== null;
