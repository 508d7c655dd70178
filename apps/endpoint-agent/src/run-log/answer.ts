/** Answers about runs to whom they belong, and with the daemon's log to root and the daemon's own account. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Reply, Request } from '../local-api/protocol.ts';
import type { Conversation, Converse } from '../local-api/server.ts';
import { readDaemonLog, type DaemonLog } from './daemon-log.ts';
import type { RunEntry } from './entry.ts';
import { explainRun, type Explained } from './explained.ts';
import type { MemoryRequest, RunSummary } from './requests.ts';
import type { RunLog } from './run-log.ts';

export interface Answering {
  readonly stateDir: string;
  readonly runLog: RunLog;
  /** Absent where nothing is said any more. */
  readonly daemonLog?: DaemonLog;
  isLive(run: string): boolean;
}

/** Who asks: an account, and whether the daemon is its own. */
export interface Asker {
  readonly uid: number;
  readonly isOwn: boolean;
}

interface Replying {
  reply(message: Reply): void;
  /** There is no more. */
  end(): void;
}

/** More than all that is kept of the daemon's lines. */
const MOST_UNREAD = 8 * 1_048_576;

const isAbout = (request: Request): request is MemoryRequest => ['runs', 'explain', 'run-log', 'daemon-log'].includes(request.op);

/** Whose runs an account may look at: its own, and root everybody's. */
const mayLookAt = ({ uid }: Asker): number | undefined => (uid === 0 ? undefined : uid);

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

/** @returns what ends what it goes on with. @throws CordonError `run.unknown`, `run.none`, `local.user` */
export const answerFrom = (
  request: MemoryRequest,
  asker: Asker,
  { stateDir, runLog, daemonLog, isLive }: Answering,
  { reply, end }: Replying,
): (() => void) => {
  const whose = mayLookAt(asker);
  const explain = (entries: readonly RunEntry[] | undefined): Explained | undefined => {
    const [first] = entries ?? [];
    return entries && explainRun(entries, first !== undefined && 'run' in first && isLive(first.run));
  };
  const last = (message?: Reply): (() => void) => {
    if (message !== undefined) reply(message);
    end();
    return () => undefined;
  };
  switch (request.op) {
    case 'runs':
      return last({
        type: 'runs',
        runs: runLog
          .list(whose, request.most)
          .flatMap((entries) => explain(entries) ?? [])
          .map(summaryOf),
      });
    case 'explain': {
      const explained = explain(request.run === undefined ? runLog.list(whose, 1)[0] : runLog.read(request.run, whose));
      if (explained !== undefined) return last({ type: 'explained', explained });
      throw request.run === undefined ? new CordonError('run.none', 'this device remembers no run of yours') : unknown(request.run);
    }
    case 'run-log': {
      const entries = runLog.read(request.run, whose);
      if (entries === undefined) throw unknown(request.run);
      for (const entry of entries) reply({ type: 'entry', entry });
      if (!request.follow || !isLive(request.run)) return last();
      return runLog.subscribe(request.run, (entry) => {
        reply({ type: 'entry', entry });
        if (entry.kind === 'run.ended') end();
      });
    }
    case 'daemon-log':
      if (asker.uid !== 0 && !asker.isOwn)
        throw new CordonError(
          'local.user',
          "only root, or the daemon's own account, may read its log; for a run of yours: cordon logs RUN",
        );
      for (const line of readDaemonLog(stateDir)) reply({ type: 'line', line });
      return request.follow && daemonLog !== undefined ? daemonLog.subscribe((line) => reply({ type: 'line', line })) : last();
  }
};

/** A conversation that also answers about what was. */
export const remembering =
  (answering: Answering, converse: Converse): Converse =>
  (caller): Conversation => {
    const inner = converse(caller);
    const { uid } = caller.account;
    const asker: Asker = { uid, isOwn: uid === process.getuid?.() };
    const replying = {
      reply: (message: Reply) => {
        // Whoever follows and does not read is not waited for.
        if (caller.socket.writableLength > MOST_UNREAD) caller.socket.destroy();
        else caller.reply(message);
      },
      end: () => void caller.socket.end(),
    };
    let stop: () => void = () => undefined;
    return {
      ...inner,
      onRequest: (request) => {
        if (!isAbout(request)) return inner.onRequest(request);
        if (caller.inside !== undefined) throw new CordonError('local.inside', `${request.op} is not for runs: ask outside`);
        stop();
        stop = answerFrom(request, asker, answering, replying);
      },
      onClose: () => {
        stop();
        inner.onClose();
      },
    };
  };
