/** What devices said of their state at their last hello, and what stands against them. */
import type pg from 'pg';
import type { Integrity } from '@cordon/policy/protocol/orders.ts';
import type { Tx } from '../context.ts';
import type { PrismaClient } from '../db/generated/client.ts';
import { isFinding, type Finding, type FindingCode, type Known } from './tampering.ts';

interface Row {
  readonly id: string;
  readonly state: string | null;
  readonly counter: number;
  readonly epoch: number;
  readonly serial: number;
  readonly finding: string | null;
  readonly acked_epoch: number | null;
  readonly acked_serial: number | null;
}

export interface KnownDevice extends Known {
  readonly standing: FindingCode | undefined;
}

/** Devices that are not there are left out. What could not be stored on the device was acknowledged with a code, and is no ground to stand on. */
export const readKnown = async (pool: pg.Pool, devices: readonly string[]): Promise<ReadonlyMap<string, KnownDevice>> => {
  const { rows } = await pool.query<Row>({
    name: 'tampering-known',
    text: `SELECT d.id, i.state, i.counter, i.epoch, i.serial, i.finding,
        CASE WHEN s.phase = 'enforced' AND s.code IS NULL THEN s.epoch END AS acked_epoch, s.serial AS acked_serial
      FROM device d LEFT JOIN device_integrity i ON i.device_id = d.id LEFT JOIN device_status s ON s.device_id = d.id
      WHERE d.id = ANY($1::text[])`,
    values: [devices],
  });
  return new Map(
    rows.map(({ id, state, counter, epoch, serial, finding, acked_epoch: ackedEpoch, acked_serial: ackedSerial }) => [
      id,
      {
        said: state === null ? undefined : { state, counter, epoch, serial },
        acknowledged: ackedEpoch === null || ackedSerial === null ? undefined : { epoch: ackedEpoch, serial: ackedSerial },
        standing: isFinding(finding) ? finding : undefined,
      },
    ]),
  );
};

const SAID = `
INSERT INTO device_integrity (device_id, state, counter, epoch, serial, assurance, machine_boot, after, said_at)
SELECT n.*, $9::timestamptz FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[]) AS n
ON CONFLICT (device_id) DO UPDATE SET state = excluded.state, counter = excluded.counter, epoch = excluded.epoch, serial = excluded.serial,
  assurance = excluded.assurance, machine_boot = excluded.machine_boot, after = excluded.after, said_at = excluded.said_at`;

export const writeSaid = async (pool: pg.Pool, said: ReadonlyMap<string, Integrity>, at: Date): Promise<void> => {
  const all = [...said.values()];
  await pool.query({
    name: 'tampering-said',
    text: SAID,
    values: [
      [...said.keys()],
      all.map(({ state }) => state),
      all.map(({ counter }) => counter),
      all.map(({ accepted }) => accepted.epoch),
      all.map(({ accepted }) => accepted.serial),
      all.map(({ assurance }) => assurance),
      all.map(({ machineBoot }) => machineBoot),
      all.map(({ after }) => after),
      at,
    ],
  });
};

/** What it said and what was found in it, both or neither. @param said nothing, where it says nothing any more: then what it said before stays */
export const writeFinding = async (
  tx: Tx,
  device: string,
  said: Integrity | undefined,
  { code, detail }: Finding,
  at: Date,
): Promise<void> => {
  const found = { finding: code, findingDetail: detail, foundAt: at };
  if (said === undefined) {
    await tx.deviceIntegrity.update({ where: { deviceId: device }, data: found });
    return;
  }
  const { state, counter, accepted, assurance, machineBoot, after } = said;
  const row = { state, counter, ...accepted, assurance, machineBoot, after, saidAt: at, ...found };
  await tx.deviceIntegrity.upsert({ where: { deviceId: device }, create: { deviceId: device, ...row }, update: row });
};

/** @returns the finding that was dismissed */
export const clearFinding = async (tx: Tx, device: string): Promise<string | undefined> => {
  const [row] = await tx.$queryRaw<
    { finding: string | null }[]
  >`SELECT finding FROM device_integrity WHERE device_id = ${device} FOR UPDATE`;
  if (row?.finding == null) return undefined;
  await tx.deviceIntegrity.update({ where: { deviceId: device }, data: { finding: null, findingDetail: null, foundAt: null } });
  return row.finding;
};

export const findIntegrity = (
  prisma: PrismaClient,
  device: string,
): Promise<{
  readonly state: string;
  readonly counter: number;
  readonly epoch: number;
  readonly serial: number;
  readonly assurance: string;
  readonly machineBoot: string | null;
  readonly after: string;
  readonly saidAt: Date;
  readonly finding: string | null;
  readonly findingDetail: string | null;
  readonly foundAt: Date | null;
} | null> => prisma.deviceIntegrity.findUnique({ where: { deviceId: device } });
