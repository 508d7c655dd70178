/** What is truly a job: repeated, coarse, and done once whatever the number of replicas. Never one per device or event. */
import { createPostgresBackend, Queue, Worker, type PgPool } from 'bullmq';
import { evaluateAll } from '../compliance/evaluator.ts';
import type { Context } from '../context.ts';
import { createPool, poolConfig } from '../db/client.ts';
import { refreshMembers } from '../groups/dynamic.ts';
import { RENEW_EVERY_MS, renewCheckpoint } from '../publishing/publish.ts';
import { verifyHeads } from '../reports/verify-job.ts';
import { dropSuperseded, keepPartitions } from './retention.ts';

const QUEUE = 'cordon';
const RENEW_LOOK_MS = 30_000;

/** Name, how often, and what it does. */
const JOBS: readonly { readonly name: string; readonly everyMs: number; readonly run: (context: Context) => Promise<unknown> }[] = [
  // Time alone makes devices late (grace) and stale.
  { name: 'compliance', everyMs: 15_000, run: evaluateAll },
  // Rules that look at the clock; and all rules, for what a crash has left.
  { name: 'groups', everyMs: 60_000, run: (context) => refreshMembers(context, { moving: true }) },
  { name: 'groups-all', everyMs: 3_600_000, run: (context) => refreshMembers(context) },
  { name: 'heads', everyMs: 15_000, run: verifyHeads },
  { name: 'retention', everyMs: 3_600_000, run: keepPartitions },
  { name: 'superseded', everyMs: 3_600_000, run: dropSuperseded },
];

export interface Jobs {
  close(): Promise<void>;
}

/**
 * Starts the checkpoint's renewal (a plain timer in every replica: the first to come does it) and the jobs.
 * The queues' tables exist: they are made as the owner at start.
 */
export const startJobs = async (context: Context): Promise<Jobs> => {
  const { log, database } = context;
  const renewal = setInterval(
    () =>
      void renewCheckpoint(context, RENEW_EVERY_MS).catch((error: unknown) =>
        log.error({ err: error }, 'the checkpoint could not be renewed; trying again'),
      ),
    RENEW_LOOK_MS,
  );
  renewal.unref();

  const onError = (error: Error): void => log.warn({ err: error }, 'the job queue lost the database; it connects again');
  // The queue's own description of a pool is narrower than the driver's in the events of its clients alone.
  const pool = createPool({ ...poolConfig(database, 4), options: '-c search_path=bullmq' }, onError) as PgPool;
  const queue = new Queue(
    QUEUE,
    { connection: pool, defaultJobOptions: { removeOnComplete: { count: 20 }, removeOnFail: { count: 100 } } },
    createPostgresBackend,
  );
  queue.on('error', onError);
  const byName = new Map(JOBS.map((job) => [job.name, job]));
  const worker = new Worker(
    QUEUE,
    async ({ name }) => {
      await byName.get(name)?.run(context);
    },
    { connection: pool, concurrency: 1 },
    createPostgresBackend,
  );
  worker.on('error', onError);
  worker.on('failed', (job, error) => log.error({ err: error, job: job?.name }, 'a job failed'));
  const close = async (): Promise<void> => {
    clearInterval(renewal);
    await worker.close();
    await queue.close();
    await pool.end();
  };
  try {
    await queue.waitUntilReady();
    for (const { name, everyMs } of JOBS) await queue.upsertJobScheduler(name, { every: everyMs }, { name });
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
};
