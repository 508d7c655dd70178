import type { ExceptionChange } from '@cordon/policy/document/exception.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { Tx } from '../context.ts';
import type { ExceptionGrant, Prisma, PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import { isOfDevice, type ExceptionRow } from './exception.ts';

// What was written here is what was checked before it was written.
const typed = (row: ExceptionGrant): ExceptionRow => ({ ...row, change: row.change as object as ExceptionChange });

export const insertException = async (tx: Tx, row: Omit<ExceptionRow, 'endedAt' | 'endedBy'>): Promise<ExceptionRow> =>
  typed(await tx.exceptionGrant.create({ data: { ...row, change: JSON.parse(JSON.stringify(row.change)) as Prisma.InputJsonObject } }));

export const findException = async (prisma: Tx | PrismaClient, id: string): Promise<ExceptionRow | undefined> => {
  const row = await prisma.exceptionGrant.findUnique({ where: { id } });
  return row === null ? undefined : typed(row);
};

/** Newest first; one more than the limit. @param target a group's id, or a device's */
export const listExceptions = async (
  prisma: PrismaClient,
  target: string | undefined,
  limit: number,
  cursor: string | undefined,
): Promise<ExceptionRow[]> => {
  const rows = await prisma.exceptionGrant.findMany({
    where: { ...after(cursor, 'createdAt', 'exc'), ...(target !== undefined && { groupId: target }) },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });
  return rows.map(typed);
};

/** @returns whether it had not been ended */
export const endException = async (tx: Tx, id: string, by: string, at: Date): Promise<boolean> =>
  (await tx.exceptionGrant.updateMany({ where: { id, endedAt: null }, data: { endedAt: at, endedBy: by } })).count === 1;

export const countLiving = (tx: Tx, target: string, now: Date): Promise<number> =>
  tx.exceptionGrant.count({ where: { groupId: target, endedAt: null, expiresAt: { gt: now } } });

export interface Surroundings {
  readonly names: ReadonlyMap<string, string>;
  readonly documents: ReadonlyMap<string, PolicyDocument>;
}

const revisionOf = ({ change }: Pick<ExceptionRow, 'change'>): { readonly policyId: string; readonly revision: number } | undefined =>
  change.kind === 'suspend' ? { policyId: change.policy, revision: change.revision } : undefined;

/** Names of the groups and devices of exceptions, and the documents of revisions in which they suspend rules, by `policy@revision`. */
export const surroundingsOf = async (
  prisma: Tx | PrismaClient,
  rows: readonly Pick<ExceptionRow, 'groupId' | 'change'>[],
): Promise<Surroundings> => {
  const ids = [...new Set(rows.map(({ groupId }) => groupId))];
  const query = (isDevice: boolean) => ({
    where: { id: { in: ids.filter((id) => isOfDevice(id) === isDevice) } },
    select: { id: true, name: true },
  });
  const groups = await prisma.group.findMany(query(false));
  const devices = await prisma.device.findMany(query(true));
  const wanted = rows.flatMap((row) => revisionOf(row) ?? []);
  const revisions =
    wanted.length === 0
      ? []
      : await prisma.policyRevision.findMany({ where: { OR: wanted }, select: { policyId: true, revision: true, document: true } });
  return {
    names: new Map([...groups, ...devices].map(({ id, name }) => [id, name])),
    documents: new Map(
      revisions.map(({ policyId, revision, document }) => [`${policyId}@${revision}`, document as object as PolicyDocument]),
    ),
  };
};

/** What devices of this group, or this device, are: whether it can be given anything. */
export const targetExists = async (tx: Tx, id: string): Promise<boolean> =>
  isOfDevice(id) ? (await tx.device.count({ where: { id, revokedAt: null } })) === 1 : (await tx.group.count({ where: { id } })) === 1;
/** Devices that have it by this target now: for looking at them again. */
export const devicesOf = async (prisma: PrismaClient, id: string): Promise<readonly string[] | undefined> => {
  if (isOfDevice(id)) return [id];
  const group = await prisma.group.findUnique({ where: { id }, select: { kind: true } });
  if (group?.kind === 'all') return undefined;
  return (await prisma.groupMember.findMany({ where: { groupId: id }, select: { deviceId: true } })).map(({ deviceId }) => deviceId);
};
