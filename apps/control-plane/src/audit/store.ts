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

/** Newest first. */
export const listEntries = (
  prisma: PrismaClient,
  filter: { readonly before?: number; readonly action?: string; readonly subject?: string },
  take: number,
): Promise<AuditEntry[]> =>
  prisma.auditEntry.findMany({
    where: {
      ...(filter.before !== undefined && { seq: { lt: filter.before } }),
      ...(filter.action !== undefined && { action: filter.action }),
      ...(filter.subject !== undefined && { subject: filter.subject }),
    },
    orderBy: { seq: 'desc' },
    take,
  });
