/** The keys of devices: which one proves a device now, and which were used before. */
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { standingOf, type Standing } from './standing.ts';

const select = { jwk: true, keyGeneration: true, approvedAt: true, revokedAt: true, endedAs: true } as const;

/** What proves a device. */
export interface DeviceKey {
  readonly jwk: unknown;
  readonly generation: number;
  readonly standing: Standing;
  /** How often it has joined, as far as is known. */
  readonly joins: number;
}

export const findDeviceKey = async (prisma: PrismaClient, id: string): Promise<DeviceKey | undefined> => {
  const found = await prisma.device.findUnique({ where: { id }, select: { ...select, join: { select: { joins: true } } } });
  if (found === null) return undefined;
  return { jwk: found.jwk, generation: found.keyGeneration, standing: standingOf(found), joins: found.join?.joins ?? 0 };
};

export interface KeyHolder {
  readonly id: string;
  readonly memberIndex: number;
  readonly enrollmentTokenId: string;
  readonly standing: Standing;
  /** The key was rotated away. */
  readonly isFormer: boolean;
}

/** The device whose key this is, or was. */
export const findByKey = async (prisma: Tx | PrismaClient, thumbprint: string): Promise<KeyHolder | undefined> => {
  const columns = { id: true, memberIndex: true, enrollmentTokenId: true, approvedAt: true, revokedAt: true, endedAs: true } as const;
  const current = await prisma.device.findUnique({ where: { thumbprint }, select: columns });
  const former =
    current === null ? await prisma.formerKey.findUnique({ where: { thumbprint }, select: { device: { select: columns } } }) : null;
  const found = current ?? former?.device;
  if (found === undefined) return undefined;
  const { id, memberIndex, enrollmentTokenId, ...facts } = found;
  return { id, memberIndex, enrollmentTokenId, standing: standingOf(facts), isFormer: former !== null };
};

/**
 * The next key of a device, in one statement that holds only while the key before is the current one; that one is kept as never usable again.
 * @returns whether it was
 */
export const replaceKey = async (
  tx: Tx,
  change: { readonly device: string; readonly from: string; readonly to: string; readonly jwk: DeviceJwk; readonly at: Date },
): Promise<boolean> => {
  const { device, from, to, jwk, at } = change;
  const { count } = await tx.device.updateMany({
    where: { id: device, thumbprint: from, revokedAt: null },
    data: { thumbprint: to, jwk: { ...jwk }, keyGeneration: { increment: 1 }, keySince: at },
  });
  if (count !== 1) return false;
  await tx.formerKey.create({ data: { thumbprint: from, deviceId: device, replacedAt: at } });
  return true;
};
