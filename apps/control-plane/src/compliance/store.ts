/** Facts for judging, in pages, and the judgements, written only where they changed. */
import type pg from 'pg';
import { EMPTY_BUNDLE } from '../publishing/bundles.ts';
import { isFinding } from '../tampering/tampering.ts';
import type { ComplianceFacts, Judgement } from './compliance.ts';

interface Row {
  readonly id: string;
  readonly revoked: boolean;
  readonly pending: boolean;
  readonly quarantined: boolean;
  readonly finding: string | null;
  readonly tampering: string | null;
  readonly tampering_detail: string | null;
  readonly enrolled_at: Date;
  readonly last_seen_at: Date | null;
  readonly assurance: string | null;
  readonly desired: string | null;
  readonly desired_serial: number | null;
  readonly since: Date | null;
  readonly cohort: string | null;
  readonly digest: string | null;
  readonly serial: number | null;
  readonly epoch: number | null;
  readonly phase: string | null;
  readonly code: string | null;
  readonly acked_at: Date | null;
  readonly self_test: SelfTestRow | null;
}

interface SelfTestRow {
  readonly passed: boolean;
  readonly digest: string;
  readonly at: string;
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[];
}

/** One device's facts, with what a person wants to see beside them. */
export interface DeviceFacts {
  readonly device: string;
  readonly facts: ComplianceFacts;
  readonly cohort: string | null;
  readonly desiredSerial: number | null;
  readonly reportedSerial: number | null;
  readonly reportedEpoch: number | null;
  readonly selfTest: SelfTestRow | null;
}

const SELECT = `
SELECT d.id, d.revoked_at IS NOT NULL AS revoked, d.approved_at IS NULL AS pending, d.quarantined_at IS NOT NULL AS quarantined, j.finding, d.enrolled_at, d.last_seen_at,
  -- the weaker of what it said when it enrolled and what it says now
  CASE WHEN i.assurance = 'user' THEN 'user' ELSE d.facts->>'assurance' END AS assurance, i.finding AS tampering, i.finding_detail AS tampering_detail,
  c.id AS cohort, c.digest AS desired, c.serial AS desired_serial, greatest(c.changed_at, d.placed_at) AS since,
  s.digest, s.serial, s.epoch, s.phase, s.code, s.acked_at, s.self_test
FROM device d LEFT JOIN cohort c ON c.id = d.cohort_id LEFT JOIN device_status s ON s.device_id = d.id LEFT JOIN device_join j ON j.device_id = d.id
  LEFT JOIN device_integrity i ON i.device_id = d.id`;

const factsOf = (row: Row): DeviceFacts => ({
  device: row.id,
  cohort: row.cohort,
  desiredSerial: row.desired_serial,
  reportedSerial: row.serial,
  reportedEpoch: row.epoch,
  selfTest: row.self_test,
  facts: {
    revoked: row.revoked,
    pending: row.pending,
    quarantined: row.quarantined,
    finding: row.finding === 'clone' || row.finding === 'restore' ? row.finding : null,
    tampering: isFinding(row.tampering) ? { code: row.tampering, detail: row.tampering_detail ?? '' } : null,
    enrolledAt: row.enrolled_at,
    lastSeenAt: row.last_seen_at,
    assurance: row.assurance === 'system' || row.assurance === 'user' ? row.assurance : null,
    desired:
      row.desired === null ? null : { digest: row.desired, since: row.since ?? row.enrolled_at, empty: row.desired === EMPTY_BUNDLE },
    reported:
      row.digest === null || row.acked_at === null
        ? null
        : { digest: row.digest, phase: row.phase === 'failed' ? 'failed' : 'enforced', code: row.code, at: row.acked_at },
    selfTest: row.self_test === null ? null : { passed: row.self_test.passed, digest: row.self_test.digest },
  },
});

export const readFacts = async (pool: pg.Pool, devices: readonly string[]): Promise<DeviceFacts[]> => {
  const { rows } = await pool.query<Row>({ name: 'compliance-facts', text: `${SELECT} WHERE d.id = ANY($1::text[])`, values: [devices] });
  return rows.map(factsOf);
};

/** A page of all devices, in the order of their ids. */
export const readFactsAfter = async (pool: pg.Pool, after: string, take: number): Promise<DeviceFacts[]> => {
  const { rows } = await pool.query<Row>({
    name: 'compliance-page',
    text: `${SELECT} WHERE d.id > $1 ORDER BY d.id LIMIT $2`,
    values: [after, take],
  });
  return rows.map(factsOf);
};

const WRITE = `
INSERT INTO device_status (device_id, state, reasons, evaluated_at) SELECT n.device, n.state, n.reasons, $4 FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS n(device, state, reasons)
ON CONFLICT (device_id) DO UPDATE SET state = excluded.state, reasons = excluded.reasons, evaluated_at = excluded.evaluated_at
WHERE (device_status.state, device_status.reasons) IS DISTINCT FROM (excluded.state, excluded.reasons) OR device_status.evaluated_at IS NULL`;

export const writeJudgements = async (pool: pg.Pool, judgements: ReadonlyMap<string, Judgement>, at: Date): Promise<void> => {
  const all = [...judgements];
  await pool.query({
    name: 'compliance-write',
    text: WRITE,
    values: [all.map(([device]) => device), all.map(([, { state }]) => state), all.map(([, { reasons }]) => JSON.stringify(reasons)), at],
  });
};

/** Devices by their last evaluated state; those that ended or wait for an administrator are not counted. */
export const countStates = async (pool: pg.Pool): Promise<{ state: string; devices: number; evaluatedAt: Date | null }[]> => {
  const { rows } = await pool.query<{ state: string; devices: number; evaluatedAt: Date | null }>({
    name: 'compliance-count',
    text: `SELECT coalesce(s.state, 'Unknown') AS state, count(*)::int AS devices, max(s.evaluated_at) AS "evaluatedAt"
      FROM device d LEFT JOIN device_status s ON s.device_id = d.id WHERE d.revoked_at IS NULL AND d.approved_at IS NOT NULL GROUP BY 1`,
  });
  return rows;
};
