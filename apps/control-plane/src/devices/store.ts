import type { DeviceFacts, DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import type { DeviceRow } from './device.ts';
import { isStanding, standingOf, type End, type Standing } from './standing.ts';

const include = {
  status: { select: { state: true } },
  join: { select: { finding: true, foundAt: true } },
  memberships: { select: { group: { select: { id: true, name: true } } }, orderBy: { groupId: 'asc' } },
} as const;

export const findDevice = (prisma: Tx | PrismaClient, id: string): Promise<DeviceRow | null> =>
  prisma.device.findUnique({ where: { id }, include });

export interface DeviceFilter {
  readonly group: string | undefined;
  /** A compliance state, or where the device stands. */
  readonly state: string | undefined;
  readonly name: string | undefined;
  /** Whether it waits until somebody approves what its groups give. */
  readonly awaiting: boolean | undefined;
}

const inState = (state: string | undefined): object => {
  if (state === undefined) return {};
  if (!isStanding(state)) return { status: { state } };
  if (state === 'pending') return { approvedAt: null, revokedAt: null };
  return state === 'active' ? { approvedAt: { not: null }, revokedAt: null } : { endedAs: state };
};

/** Newest first; one more than the limit. */
export const listDevices = (
  prisma: PrismaClient,
  { group, state, name, awaiting }: DeviceFilter,
  limit: number,
  cursor: string | undefined,
): Promise<DeviceRow[]> =>
  prisma.device.findMany({
    where: {
      AND: [
        after(cursor, 'enrolledAt', 'dev'),
        group === undefined ? {} : { memberships: { some: { groupId: group } } },
        inState(state),
        name === undefined ? {} : { name: { startsWith: name } },
        awaiting === undefined ? {} : { awaiting: awaiting ? { not: null } : null },
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
