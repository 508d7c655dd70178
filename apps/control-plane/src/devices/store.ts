import type { DeviceFacts, DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import type { DeviceRow } from './device.ts';

const include = {
  status: { select: { state: true } },
  memberships: { select: { group: { select: { id: true, name: true } } }, orderBy: { groupId: 'asc' } },
} as const;

/** What proves a device: its current key, and whether it was revoked. */
export const findDeviceKey = (prisma: PrismaClient, id: string): Promise<{ jwk: unknown; revokedAt: Date | null } | null> =>
  prisma.device.findUnique({ where: { id }, select: { jwk: true, revokedAt: true } });

export const findDevice = (prisma: Tx | PrismaClient, id: string): Promise<DeviceRow | null> =>
  prisma.device.findUnique({ where: { id }, include });

export interface DeviceFilter {
  readonly group: string | undefined;
  readonly state: string | undefined;
  readonly name: string | undefined;
}

/** Newest first; one more than the limit. */
export const listDevices = (
  prisma: PrismaClient,
  { group, state, name }: DeviceFilter,
  limit: number,
  cursor: string | undefined,
): Promise<DeviceRow[]> =>
  prisma.device.findMany({
    where: {
      AND: [
        after(cursor, 'enrolledAt', 'dev'),
        group === undefined ? {} : { memberships: { some: { groupId: group } } },
        state === undefined ? {} : { status: { state } },
        name === undefined ? {} : { name: { startsWith: name } },
      ],
    },
    include,
    orderBy: [{ enrolledAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });

export interface NewDevice {
  readonly id: string;
  readonly thumbprint: string;
  readonly jwk: DeviceJwk;
  readonly facts: DeviceFacts;
  readonly enrollmentTokenId: string;
  readonly at: Date;
}

/**
 * Gives the device the next position in the members tree. The organisation's row is locked until the transaction ends, so positions are
 * given without gaps and in the order in which they become visible.
 */
export const insertDevice = async (tx: Tx, { id, thumbprint, jwk, facts, enrollmentTokenId, at }: NewDevice): Promise<number> => {
  const { nextMember } = await tx.organisation.update({
    where: { id: 1 },
    data: { nextMember: { increment: 1 } },
    select: { nextMember: true },
  });
  const memberIndex = nextMember - 1;
  await tx.device.create({
    data: {
      id,
      name: facts.name,
      thumbprint,
      jwk: { ...jwk },
      memberIndex,
      enrollmentTokenId,
      facts: { ...facts },
      enrolledAt: at,
      status: { create: {} },
    },
  });
  return memberIndex;
};

/** @returns whether the version was still the one seen */
export const renameDevice = async (tx: Tx, id: string, version: number, name: string): Promise<boolean> =>
  (await tx.device.updateMany({ where: { id, version }, data: { name, version: { increment: 1 } } })).count === 1;

/** @returns whether it was in force until now */
export const markRevoked = async (tx: Tx, id: string, at: Date): Promise<boolean> =>
  (await tx.device.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: at } })).count === 1;
