import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { Tx } from '../context.ts';
import type { Prisma, PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import type { PolicyRow, RevisionFacts, RevisionRow } from './policy.ts';

const include = { revisions: { select: { revision: true }, orderBy: { revision: 'desc' }, take: 1 } } as const;

export const insertPolicy = async (
  tx: Tx,
  policy: { readonly id: string; readonly name: string; readonly createdAt: Date },
): Promise<void> => {
  await tx.policy.create({ data: policy });
};

export interface NewRevision {
  readonly policyId: string;
  readonly revision: number;
  readonly document: PolicyDocument;
  readonly digest: string;
  readonly source: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export const insertRevision = async (tx: Tx, { document, ...revision }: NewRevision): Promise<void> => {
  const json: Prisma.InputJsonValue = JSON.parse(JSON.stringify(document)) as Prisma.InputJsonObject;
  await tx.policyRevision.create({ data: { ...revision, document: json } });
};

export const findPolicy = (prisma: Tx | PrismaClient, id: string): Promise<PolicyRow | null> =>
  prisma.policy.findUnique({ where: { id }, include });

export const findPolicyByName = (tx: Tx, name: string): Promise<PolicyRow | null> => tx.policy.findUnique({ where: { name }, include });

export const countAssignments = (tx: Tx, policyId: string): Promise<number> => tx.assignment.count({ where: { policyId } });

export const listPolicies = (prisma: PrismaClient, limit: number, cursor: string | undefined): Promise<PolicyRow[]> =>
  prisma.policy.findMany({
    where: { archivedAt: null, ...after(cursor, 'createdAt', 'pol') },
    include,
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });

export const findRevision = (prisma: Tx | PrismaClient, policyId: string, revision: number): Promise<RevisionRow | null> =>
  prisma.policyRevision.findUnique({ where: { policyId_revision: { policyId, revision } } });

/** Newest first, without the documents. */
export const listRevisions = (
  prisma: PrismaClient,
  policyId: string,
  limit: number,
  before: number | undefined,
): Promise<RevisionFacts[]> =>
  prisma.policyRevision.findMany({
    where: { policyId, ...(before !== undefined && { revision: { lt: before } }) },
    select: { policyId: true, revision: true, digest: true, createdBy: true, createdAt: true },
    orderBy: { revision: 'desc' },
    take: limit,
  });

/** Two authors at once: one of them wins. @returns whether the version was still the one seen */
export const advanceVersion = async (tx: Tx, id: string, version: number, archivedAt: Date | null): Promise<boolean> =>
  (await tx.policy.updateMany({ where: { id, version }, data: { version: { increment: 1 }, archivedAt } })).count === 1;
