/** What is kept for how long: telemetry by the day (partitions ahead are made, those too old are dropped whole), and what publishing no longer needs. */
import type { Context } from '../context.ts';

const AHEAD_DAYS = 7;
const KEEP_DAYS = 90;

/** Runs with the rights of the functions' owner: the application may make and drop these partitions and nothing else. */
export const keepPartitions = async ({ pool, log }: Pick<Context, 'pool' | 'log'>): Promise<void> => {
  await pool.query('SELECT cordon_ensure_partitions($1)', [AHEAD_DAYS]);
  const { rows } = await pool.query<{ dropped: number }>('SELECT cordon_drop_partitions($1) AS dropped', [KEEP_DAYS]);
  if ((rows[0]?.dropped ?? 0) > 0) log.info({ partitions: rows[0]?.dropped }, 'old telemetry was dropped');
  // After the archive, never before: a cursor keeps what is stored from being stored twice.
  await pool.query('SELECT cordon_prune_reports($1)', [KEEP_DAYS]);
};

/** Checkpoints, of which there is one every five minutes, but for the newest; bundles that no cohort has and whose manifest has expired; and what was seen outside containment. */
export const dropSuperseded = async ({ pool, clock }: Pick<Context, 'pool' | 'clock'>): Promise<void> => {
  const now = clock();
  const old = new Date(now.getTime() - KEEP_DAYS * 86_400_000);
  await pool.query('DELETE FROM checkpoint WHERE created_at < $1 AND id < (SELECT max(id) FROM checkpoint)', [old]);
  await pool.query('DELETE FROM inventory_sighting WHERE last_at < $1', [old]);
  await pool.query('DELETE FROM bundle WHERE expires_at < $1 AND NOT EXISTS (SELECT 1 FROM cohort WHERE cohort.digest = bundle.digest)', [
    now,
  ]);
};
