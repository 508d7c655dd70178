import type { DeviceFacts, DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { Filter } from '@cordon/policy/filter/filter.ts';
import type { Tx } from '../context.ts';
import { Prisma, type PrismaClient } from '../db/generated/client.ts';
import { filterSql } from '../filtering/sql.ts';
import { decodeCursor } from '../paging.ts';
import type { DeviceRow } from './device.ts';
import { DEVICE_COLUMNS, DEVICE_FIELDS } from './filter.ts';
import { standingOf, type End, type Standing } from './standing.ts';

const include = {
  status: { select: { state: true } },
  join: { select: { finding: true, foundAt: true } },
  memberships: { select: { group: { select: { id: true, name: true } } }, orderBy: { groupId: 'asc' } },
} as const;

export const findDevice = (prisma: Tx | PrismaClient, id: string): Promise<DeviceRow | null> =>
  prisma.device.findUnique({ where: { id }, include });

/** Newest first; one more than the limit. @throws Refusal request.cursor */
export const listDevices = async (
  prisma: PrismaClient,
  filter: Filter | undefined,
  limit: number,
  cursor: string | undefined,
  now: Date,
): Promise<DeviceRow[]> => {
  const { at, id } = cursor === undefined ? { at: null, id: null } : decodeCursor(cursor, 'dev');
  const asked = filter === undefined ? Prisma.sql`true` : filterSql(filter, DEVICE_FIELDS, DEVICE_COLUMNS, now);
  const page = await prisma.$queryRaw<{ id: string }[]>`
    SELECT d.id FROM device d LEFT JOIN device_status s ON s.device_id = d.id
    WHERE (${at}::timestamptz IS NULL OR (d.enrolled_at, d.id) < (${at}::timestamptz, ${id}::text)) AND ${asked}
    ORDER BY d.enrolled_at DESC, d.id DESC LIMIT ${limit + 1}`;
  return prisma.device.findMany({
    where: { id: { in: page.map((row) => row.id) } },
    include,
    orderBy: [{ enrolledAt: 'desc' }, { id: 'desc' }],
  });
};

export interface NewDevice {
  readonly id: string;
  readonly thumbprint: string;
  readonly jwk: DeviceJwk;
  readonly facts: DeviceFacts;
  readonly enrollmentTokenId: string;
  readonly at: Date;
  /** null: it waits for an administrator. */
  readonly approvedAt: Date | null;
}

/**
 * Gives the device the next position in the members tree. The organisation's row is locked until the transaction ends, so positions are
 * given without gaps and in the order in which they become visible.
 */
export const insertDevice = async (tx: Tx, device: NewDevice): Promise<number> => {
  const { id, thumbprint, jwk, facts, enrollmentTokenId, at, approvedAt } = device;
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
      keySince: at,
      approvedAt,
      status: { create: {} },
    },
  });
  return memberIndex;
};

/** @returns whether the version was still the one seen */
export const renameDevice = async (tx: Tx, id: string, version: number, name: string): Promise<boolean> =>
  (await tx.device.updateMany({ where: { id, version }, data: { name, version: { increment: 1 } } })).count === 1;

export interface Standings {
  readonly id: string;
  readonly name: string;
  readonly standing: Standing;
}

/** Where these devices stand; their rows are locked, in the order of their ids, until the transaction ends. */
export const lockStandings = async (tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, Standings>> => {
  const rows = await tx.$queryRaw<{ id: string; name: string; approvedAt: Date | null; revokedAt: Date | null; endedAs: string | null }[]>`
    SELECT id, name, approved_at AS "approvedAt", revoked_at AS "revokedAt", ended_as AS "endedAs"
    FROM device WHERE id = ANY(${[...ids]}::text[]) ORDER BY id FOR UPDATE`;
  return new Map(rows.map(({ id, name, ...facts }) => [id, { id, name, standing: standingOf(facts) }]));
};

export const markApproved = async (tx: Tx, ids: readonly string[], at: Date): Promise<void> => {
  await tx.device.updateMany({ where: { id: { in: [...ids] } }, data: { approvedAt: at } });
};

/** @returns those of them that were not quarantined */
export const markQuarantined = async (tx: Tx, ids: readonly string[], reason: string, by: string, at: Date): Promise<readonly string[]> =>
  (
    await tx.device.updateManyAndReturn({
      where: { id: { in: [...ids] }, quarantinedAt: null },
      data: { quarantinedAt: at, quarantinedBy: by, quarantineReason: reason },
      select: { id: true },
    })
  ).map(({ id }) => id);

/** @returns those of them that were quarantined */
export const markReleased = async (tx: Tx, ids: readonly string[]): Promise<readonly string[]> =>
  (
    await tx.device.updateManyAndReturn({
      where: { id: { in: [...ids] }, quarantinedAt: { not: null } },
      data: { quarantinedAt: null, quarantinedBy: null, quarantineReason: null },
      select: { id: true },
    })
  ).map(({ id }) => id);

/** The time is that of the last end: a device that was revoked may be retired later. */
export const markEnded = async (tx: Tx, ids: readonly string[], end: End, at: Date): Promise<void> => {
  await tx.device.updateMany({ where: { id: { in: [...ids] } }, data: { endedAs: end, revokedAt: at } });
};

/** @returns whether there was one to settle */
export const clearFinding = async (tx: Tx, id: string): Promise<boolean> =>
  (
    await tx.deviceJoin.updateMany({
      where: { deviceId: id, finding: { not: null } },
      data: { finding: null, foundAt: null, displaced: [] },
    })
  ).count === 1;
