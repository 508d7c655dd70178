/** The keys of devices: which one proves a device now, and which were used before. */
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { thumbprint } from '@cordon/policy/trust/keys.ts';
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
export const findByKey = async (prisma: Tx | PrismaClient, jkt: string): Promise<KeyHolder | undefined> => {
  const columns = { id: true, memberIndex: true, enrollmentTokenId: true, approvedAt: true, revokedAt: true, endedAs: true } as const;
  const current = await prisma.device.findUnique({ where: { thumbprint: jkt }, select: columns });
  const former =
    current === null ? await prisma.formerKey.findUnique({ where: { thumbprint: jkt }, select: { device: { select: columns } } }) : null;
  const found = current ?? former?.device;
  if (found === undefined) return undefined;
  const { id, memberIndex, enrollmentTokenId, ...facts } = found;
  return { id, memberIndex, enrollmentTokenId, standing: standingOf(facts), isFormer: former !== null };
};

export interface Rotation {
  readonly device: string;
  readonly from: DeviceJwk;
  readonly to: DeviceJwk;
  readonly at: Date;
}

/**
 * The next key of a device, in one statement that holds only while the key before is the current one; that one is kept as never usable again.
 * @returns the number of the key, or undefined when it was not
 */
export const replaceKey = async (tx: Tx, { device, from, to, at }: Rotation): Promise<number | undefined> => {
  const [changed] = await tx.$queryRaw<{ generation: number }[]>`
    UPDATE device SET thumbprint = ${thumbprint(to)}, jwk = ${JSON.stringify(to)}::jsonb, key_generation = key_generation + 1, key_since = ${at}
    WHERE id = ${device} AND thumbprint = ${thumbprint(from)} AND revoked_at IS NULL RETURNING key_generation AS generation`;
  if (changed === undefined) return undefined;
  await tx.formerKey.create({ data: { thumbprint: thumbprint(from), jwk: { ...from }, deviceId: device, replacedAt: at } });
  return changed.generation;
};
