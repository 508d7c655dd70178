/** What the channel writes down: acknowledgements, self-tests and when a device was last connected. Bulk statements only. */
import type pg from 'pg';
import type { Report, ReportStore } from './acks.ts';

const ACKS = `
INSERT INTO device_status (device_id, digest, serial, epoch, phase, code, acked_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::timestamptz[])
ON CONFLICT (device_id) DO UPDATE SET digest = excluded.digest, serial = excluded.serial, epoch = excluded.epoch, phase = excluded.phase, code = excluded.code,
  -- since when it says so: repeating an acknowledgement does not make it younger
  acked_at = CASE WHEN (device_status.digest, device_status.phase) IS NOT DISTINCT FROM (excluded.digest, excluded.phase) THEN device_status.acked_at ELSE excluded.acked_at END
WHERE (device_status.digest, device_status.serial, device_status.epoch, device_status.phase, device_status.code)
  IS DISTINCT FROM (excluded.digest, excluded.serial, excluded.epoch, excluded.phase, excluded.code)`;

const SELF_TESTS = `
INSERT INTO device_status (device_id, self_test) SELECT * FROM unnest($1::text[], $2::jsonb[])
ON CONFLICT (device_id) DO UPDATE SET self_test = excluded.self_test`;

export const createReportStore = (pool: pg.Pool): ReportStore => ({
  write: async (reports: ReadonlyMap<string, Report>) => {
    const acks = [...reports].flatMap(([device, { ack, at }]) => (ack === undefined ? [] : [{ device, ...ack, at }]));
    if (acks.length > 0) {
      const columns = [
        acks.map((a) => a.device),
        acks.map((a) => a.digest),
        acks.map((a) => a.serial),
        acks.map((a) => a.epoch),
        acks.map((a) => a.phase),
        acks.map((a) => a.code ?? null),
        acks.map((a) => a.at.toISOString()),
      ];
      await pool.query({ name: 'channel-acks', text: ACKS, values: columns });
    }
    const tests = [...reports].flatMap(([device, { selfTest }]) => (selfTest === undefined ? [] : [{ device, selfTest }]));
    if (tests.length > 0)
      await pool.query({
        name: 'channel-self-tests',
        text: SELF_TESTS,
        values: [tests.map((t) => t.device), tests.map((t) => JSON.stringify(t.selfTest))],
      });
  },
});

/** How a connected device stands, as far as its session cares. */
export interface SessionFacts {
  readonly device: string;
  /** How it ended, if it has. */
  readonly ended: string | null;
  readonly pending: boolean;
  readonly quarantined: boolean;
  /** The highest number of its sessions, at whatever replica. */
  readonly joins: number;
}

export const sessionFacts = async (pool: pg.Pool, devices: readonly string[]): Promise<readonly SessionFacts[]> => {
  const { rows } = await pool.query<SessionFacts>({
    name: 'channel-facts',
    text: `SELECT d.id AS device, d.ended_as AS ended, d.approved_at IS NULL AS pending, d.quarantined_at IS NOT NULL AS quarantined, coalesce(j.joins, 0) AS joins
      FROM device d LEFT JOIN device_join j ON j.device_id = d.id WHERE d.id = ANY($1::text[])`,
    values: [devices],
  });
  return rows;
};

export const writeSeen = async (pool: pg.Pool, devices: readonly string[], at: Date): Promise<void> => {
  await pool.query({ name: 'channel-seen', text: 'UPDATE device SET last_seen_at = $2 WHERE id = ANY($1::text[])', values: [devices, at] });
};
