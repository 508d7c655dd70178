import type { Tx } from '../context.ts';
import type { Assignment, PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';

export interface NewAssignment {
  readonly id: string;
  readonly policyId: string;
  readonly groupId: string;
  readonly mode: 'include' | 'exclude';
  readonly createdBy: string;
  readonly createdAt: Date;
}

export const insertAssignment = (tx: Tx, assignment: NewAssignment): Promise<Assignment> => tx.assignment.create({ data: assignment });

export const findAssignment = (tx: Tx, id: string): Promise<Assignment | null> => tx.assignment.findUnique({ where: { id } });

export const deleteAssignment = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.assignment.deleteMany({ where: { id } })).count === 1;

export const listAssignments = (
  prisma: PrismaClient,
  filter: { readonly policyId?: string; readonly groupId?: string },
  limit: number,
  cursor: string | undefined,
): Promise<Assignment[]> =>
  prisma.assignment.findMany({
    where: { ...filter, ...after(cursor, 'createdAt', 'asg') },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });
