/** Answers about runs to whom they belong, and with the daemon's log to root and the daemon's own account. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Reply, Request } from '../local-api/protocol.ts';
import type { Caller, Conversation, Converse } from '../local-api/server.ts';
import type { RunTable } from '../runs/run-table.ts';
import { readDaemonLog, type DaemonLog } from './daemon-log.ts';
import { explainRun, type Explained } from './explained.ts';
import type { MemoryRequest, RunSummary } from './requests.ts';
import type { RunLog } from './run-log.ts';

export interface Memory {
  readonly stateDir: string;
  readonly runLog: RunLog;
  readonly daemonLog: DaemonLog;
  readonly runs: Pick<RunTable, 'all'>;
}

const isAbout = (request: Request): request is MemoryRequest => ['runs', 'explain', 'run-log', 'daemon-log'].includes(request.op);

/** Whose runs an account may look at: its own, and root everybody's. */
const mayLookAt = ({ uid }: Account): number | undefined => (uid === 0 ? undefined : uid);

const summaryOf = ({ run, user, given, program, startedAt, state, ended, denied }: Explained): RunSummary => ({
  run,
  user,
  agent: given?.agent ?? 'unknown',
  program: program ?? '',
  startedAt,
  state,
  exitCode: ended?.exitCode ?? null,
  reason: ended?.reason ?? null,
  denials: denied.length,
});

const unknown = (run: string): CordonError =>
  new CordonError('run.unknown', `this device remembers no run ${run} of yours: see cordon runs`);

/** @returns what ends what it goes on with */
const answer = (request: MemoryRequest, caller: Caller, { stateDir, runLog, daemonLog, runs }: Memory): (() => void) => {
  const whose = mayLookAt(caller.account);
  const isLive = (id: string): boolean => runs.all().some(({ run }) => run.run === id);
  const end = (reply?: Reply): (() => void) => {
    if (reply !== undefined) caller.reply(reply);
    caller.socket.end();
    return () => undefined;
  };
  switch (request.op) {
    case 'runs': {
      const all = runLog.list(whose, request.most).flatMap((entries) => {
        const [first] = entries;
        return explainRun(entries, first !== undefined && 'run' in first && isLive(first.run)) ?? [];
      });
      return end({ type: 'runs', runs: all.map(summaryOf) });
    }
    case 'explain': {
      const entries = request.run === undefined ? runLog.list(whose, 1)[0] : runLog.read(request.run, whose);
      const [first] = entries ?? [];
      const explained = entries && explainRun(entries, first !== undefined && 'run' in first && isLive(first.run));
      if (explained === undefined)
        throw request.run === undefined ? new CordonError('run.none', 'this device remembers no run of yours') : unknown(request.run);
      return end({ type: 'explained', explained });
    }
    case 'run-log': {
      const entries = runLog.read(request.run, whose);
      if (entries === undefined) throw unknown(request.run);
      for (const entry of entries) caller.reply({ type: 'entry', entry });
      if (!request.follow || !isLive(request.run)) return end();
      return runLog.subscribe(request.run, (entry) => {
        caller.reply({ type: 'entry', entry });
        if (entry.kind === 'run.ended') end();
      });
    }
    case 'daemon-log': {
      if (caller.account.uid !== 0 && caller.account.uid !== process.getuid?.())
        throw new CordonError(
          'local.user',
          "only root, or the daemon's own account, may read its log; for a run of yours: cordon logs RUN",
        );
      for (const line of readDaemonLog(stateDir)) caller.reply({ type: 'line', line });
      return request.follow ? daemonLog.subscribe((line) => caller.reply({ type: 'line', line })) : end();
    }
  }
};

/** A conversation that also answers about what was. */
export const remembering =
  (memory: Memory, converse: Converse): Converse =>
  (caller): Conversation => {
    const inner = converse(caller);
    let stop: () => void = () => undefined;
    return {
      ...inner,
      onRequest: (request) => {
        if (!isAbout(request)) return inner.onRequest(request);
        if (caller.inside !== undefined) throw new CordonError('local.inside', `${request.op} is not for runs: ask outside`);
        stop();
        stop = answer(request, caller, memory);
      },
      onClose: () => {
        stop();
        inner.onClose();
      },
    };
  };
