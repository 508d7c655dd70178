/** What devices reported of single runs, as stored: that they began, in which other run, and whether they ended. */
import type pg from 'pg';

export interface RunRecord {
  readonly run: string;
  /** The chain of reports in which it began. */
  readonly boot: string;
  readonly agent: string | null;
  readonly parent: string | null;
  readonly ended: boolean;
}

interface Row {
  readonly run: string;
  readonly boot: string;
  readonly kind: string;
  readonly agent: string | null;
  readonly parent: string | null;
}

/** @returns those of this device that are known to have begun, by their ids */
export const runRecords = async (pool: pg.Pool, device: string, runs: readonly string[]): Promise<ReadonlyMap<string, RunRecord>> => {
  const { rows } = await pool.query<Row>({
    name: 'telemetry-runs',
    text: `SELECT run, boot, kind, agent, detail->>'parent' AS parent FROM telemetry_event
      WHERE device_id = $1 AND run = ANY($2::text[]) AND kind IN ('run.started', 'run.ended')`,
    values: [device, runs],
  });
  const ended = new Set(rows.flatMap(({ kind, run }) => (kind === 'run.ended' ? [run] : [])));
  return new Map(
    rows.flatMap(({ kind, run, boot, agent, parent }) =>
      kind === 'run.started' ? [[run, { run, boot, agent, parent, ended: ended.has(run) }] as const] : [],
    ),
  );
};
