import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import type { GroupRow, Membership } from './group.ts';

const include = { _count: { select: { members: true } } } as const;

export const insertGroup = (
  tx: Tx,
  group: {
    readonly id: string;
    readonly name: string;
    readonly kind: string;
    readonly membership: Membership;
    readonly rule: string | null;
    readonly description: string;
    readonly createdAt: Date;
  },
): Promise<GroupRow> => tx.group.create({ data: group, include });

export const findGroup = (prisma: Tx | PrismaClient, id: string): Promise<GroupRow | null> =>
  prisma.group.findUnique({ where: { id }, include });

export const listGroups = (prisma: PrismaClient, limit: number, cursor: string | undefined): Promise<GroupRow[]> =>
  prisma.group.findMany({
    where: after(cursor, 'createdAt', 'grp'),
    include,
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });

export const countDevices = (prisma: Tx | PrismaClient): Promise<number> => prisma.device.count({ where: { revokedAt: null } });

/** @returns whether the version was still the one seen */
export const updateGroup = async (
  tx: Tx,
  id: string,
  version: number,
  data: { readonly name?: string; readonly description?: string; readonly membership?: Membership; readonly rule?: string },
): Promise<boolean> => (await tx.group.updateMany({ where: { id, version }, data: { ...data, version: { increment: 1 } } })).count === 1;

/** @returns whether it was not a member before */
export const insertMember = async (tx: Tx, groupId: string, deviceId: string, addedAt: Date): Promise<boolean> =>
  (await tx.groupMember.createMany({ data: [{ groupId, deviceId, addedAt }], skipDuplicates: true })).count === 1;

/** @returns whether it was a member before */
export const deleteMember = async (tx: Tx, groupId: string, deviceId: string): Promise<boolean> =>
  (await tx.groupMember.deleteMany({ where: { groupId, deviceId } })).count === 1;

/** What keeps a group from being removed: assignments in the draft, and enrollment tokens that can still be used. */
export const countUses = async (tx: Tx, groupId: string, now: Date): Promise<{ assignments: number; tokens: number }> => {
  const assignments = await tx.assignment.count({ where: { groupId } });
  const rows = await tx.$queryRaw<{ tokens: number }[]>`
    SELECT count(*)::int AS tokens FROM enrollment_token WHERE group_id = ${groupId} AND revoked_at IS NULL AND expires_at > ${now} AND uses < max_uses`;
  return { assignments, tokens: rows[0]?.tokens ?? 0 };
};

/** With its members. */
export const deleteGroup = async (tx: Tx, id: string): Promise<void> => {
  await tx.groupMember.deleteMany({ where: { groupId: id } });
  await tx.group.delete({ where: { id } });
};

export const deviceExists = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx.device.count({ where: { id, revokedAt: null } })) === 1;

/** Once, on first start. */
export const ensureGroup = async (
  tx: Tx,
  group: { readonly id: string; readonly name: string; readonly kind: string; readonly membership: 'all'; readonly description: string },
): Promise<void> => {
  await tx.group.createMany({ data: [group], skipDuplicates: true });
};
