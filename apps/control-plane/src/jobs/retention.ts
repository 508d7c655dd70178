/** Telemetry is kept by the day: partitions ahead are made, those too old are dropped whole. */
import type { Context } from '../context.ts';

const AHEAD_DAYS = 7;
const KEEP_DAYS = 90;

/** Runs with the rights of the functions' owner: the application may make and drop these partitions and nothing else. */
export const keepPartitions = async ({ pool, log }: Pick<Context, 'pool' | 'log'>): Promise<void> => {
  await pool.query('SELECT cordon_ensure_partitions($1)', [AHEAD_DAYS]);
  const { rows } = await pool.query<{ dropped: number }>('SELECT cordon_drop_partitions($1) AS dropped', [KEEP_DAYS]);
  if ((rows[0]?.dropped ?? 0) > 0) log.info({ partitions: rows[0]?.dropped }, 'old telemetry was dropped');
};
