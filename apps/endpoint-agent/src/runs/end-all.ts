/** The end of everything that runs, when the daemon stops. */
import { setTimeout as wait } from 'node:timers/promises';
import type { RunTable } from './run-table.ts';

/** For the runs to be gone, and for what else ends with them. */
const STOP_MS = 5000;

/** @param others what is to have ended as well */
export const endAll = async (runs: Pick<RunTable, 'all'>, others: Promise<unknown>): Promise<void> => {
  for (const { run } of runs.all()) run.kill('killed');
  const patience = new AbortController();
  const ended = Promise.all([...runs.all().map(({ run }) => run.ended), others]);
  // An aborted wait is the end that was hoped for.
  await Promise.race([ended, wait(STOP_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
  patience.abort();
};
