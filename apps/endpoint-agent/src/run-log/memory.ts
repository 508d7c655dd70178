/** What this device remembers for the people who work on it: of their runs, and what the daemon said. */
import path from 'node:path';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Converse } from '../local-api/server.ts';
import type { RunTable } from '../runs/run-table.ts';
import { remembering } from './answer.ts';
import type { DaemonLog } from './daemon-log.ts';
import { givenOf } from './given.ts';
import { openRunLog } from './run-log.ts';

export interface MemoryOptions {
  readonly stateDir: string;
  readonly daemonLog: DaemonLog;
  readonly runs: Pick<RunTable, 'all'>;
  /** What is in force. */
  readonly state: () => VerifiedState | undefined;
  /** Where events go to be sent. */
  readonly append: (event: NewEvent) => void;
  readonly now: () => Date;
}

export interface Memory {
  /** An event, to be sent and to be remembered. */
  report(event: NewEvent): void;
  /** A run did not start, and why: told before the event of it. */
  refused(run: string, account: Account, error: { readonly code: string; readonly message: string }): void;
  /** A conversation that also answers about what was. */
  answering(converse: Converse): Converse;
}

export const openMemory = ({ stateDir, daemonLog, runs, state, append, now }: MemoryOptions): Memory => {
  const runLog = openRunLog(path.join(stateDir, 'run-log'), now);
  return {
    report: (event) => {
      append(event);
      const live = event.kind === 'run.started' ? runs.all().find(({ run }) => run.run === event.run) : undefined;
      if (live !== undefined) runLog.begin(givenOf(live, state(), now()));
      runLog.heard(event);
    },
    refused: (run, { uid, name }, { code, message }) =>
      runLog.begin({ kind: 'refused', at: now().toISOString(), run, uid, user: name, code, message: message.slice(0, 4096) }),
    answering: (converse) =>
      remembering({ stateDir, runLog, daemonLog, isLive: (id) => runs.all().some(({ run }) => run.run === id) }, converse),
  };
};
