/** Where the history of checkpoints is read, and where cosignatures and what devices found in it are kept. */
import type pg from 'pg';
import type { Tx } from '../context.ts';
import type { HistoryFinding, PrismaClient } from '../db/generated/client.ts';

export interface HistoryRow {
  readonly epoch: number;
  readonly number: number;
  readonly serial: number;
  readonly digest: string;
  readonly jws: string;
  /** Keys of those who cosigned. */
  readonly witnesses: readonly string[];
}

/** The checkpoints at these places of an epoch that are still kept, by place. */
export const readPlaces = async (pool: pg.Pool, epoch: number, numbers: readonly number[]): Promise<ReadonlyMap<number, string>> => {
  const { rows } = await pool.query<{ number: number; jws: string }>({
    name: 'history-places',
    text: 'SELECT number, jws FROM checkpoint WHERE epoch = $1 AND number = ANY($2::int[])',
    values: [epoch, numbers],
  });
  return new Map(rows.map(({ number, jws }) => [number, jws]));
};

/** In the order of the history, from a place on, that one included. */
export const readOnwards = (prisma: PrismaClient, epoch: number, number: number, take: number): Promise<HistoryRow[]> =>
  prisma.$queryRaw`
    SELECT k.epoch, k.number, k.serial, k.digest, k.jws, array(SELECT c.kid FROM cosignature c WHERE c.checkpoint_id = k.id ORDER BY c.kid) AS witnesses
    FROM checkpoint k WHERE (k.epoch, k.number) >= (${epoch}, ${number}) ORDER BY k.epoch, k.number LIMIT ${take}`;

/** In the order in which they were signed. */
export const readAfter = (prisma: PrismaClient, id: number, take: number): Promise<{ id: number; jws: string }[]> =>
  prisma.checkpoint.findMany({ where: { id: { gt: id } }, orderBy: { id: 'asc' }, take, select: { id: true, jws: true } });

export const findCheckpoint = (
  prisma: PrismaClient,
  digest: string,
): Promise<{ id: number; epoch: number; serial: number; jws: string } | null> =>
  prisma.checkpoint.findUnique({ where: { digest }, select: { id: true, epoch: true, serial: true, jws: true } });

/** Once a witness. Wakes every replica when, and only if, the transaction commits. */
export const insertCosignature = async (
  tx: Tx,
  { checkpointId, digest, kid, jws, at }: { checkpointId: number; digest: string; kid: string; jws: string; at: Date },
): Promise<void> => {
  await tx.cosignature.createMany({ data: [{ checkpointId, kid, jws, createdAt: at }], skipDuplicates: true });
  await tx.$executeRaw`SELECT pg_notify('cordon_state', ${`witness ${digest}`})`;
};

export const readCosignatures = (prisma: PrismaClient, digest: string): Promise<{ kid: string; jws: string }[]> =>
  prisma.cosignature.findMany({ where: { checkpoint: { digest } }, select: { kid: true, jws: true } });

/** @returns whether it is new, and not one too many of this device */
export const insertFinding = async (
  tx: Tx,
  finding: Omit<HistoryFinding, 'id' | 'evidence'> & { readonly evidence: object },
  most: number,
): Promise<boolean> => {
  // One after another of each device, so that the count is right.
  await tx.$queryRaw`SELECT 1 FROM device WHERE id = ${finding.deviceId} FOR UPDATE`;
  if ((await tx.historyFinding.count({ where: { deviceId: finding.deviceId } })) >= most) return false;
  return (await tx.historyFinding.createMany({ data: [finding], skipDuplicates: true })).count === 1;
};

/** Newest first. @param before only those with a smaller number */
export const listFindings = (
  prisma: PrismaClient,
  device: string | undefined,
  before: number | undefined,
  take: number,
): Promise<HistoryFinding[]> =>
  prisma.historyFinding.findMany({
    where: { ...(device !== undefined && { deviceId: device }), ...(before !== undefined && { id: { lt: before } }) },
    orderBy: { id: 'desc' },
    take,
  });
