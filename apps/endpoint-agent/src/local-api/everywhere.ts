/** The two ways to the daemon, by one conversation: the sockets of accounts, and the doors of runs. */
import type { RunTable } from '../runs/run-table.ts';
import type { Account } from './accounts.ts';
import type { Doors } from './doors.ts';
import { createOrigin } from './origin.ts';
import { answerInside, startLocalApi, type Converse } from './server.ts';

/** @throws CordonError `local.path` */
export const serveLocally = (
  runtimeDir: string,
  accounts: readonly Account[],
  runs: Pick<RunTable, 'all'>,
  doors: Pick<Doors, 'serve'>,
  converse: Converse,
): Promise<{ stop(): void }> => {
  const originOf = createOrigin(runs.all);
  doors.serve(answerInside(originOf, converse));
  return startLocalApi(runtimeDir, accounts, originOf, converse);
};
