/** The egress process as a child that answers, and that is started again when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import { CordonError } from '@cordon/policy/errors.ts';
import { EGRESS_PROGRAM } from '../place.ts';
import type { Attachment } from './originate.ts';
import type { Decision, FromEgress, Start, ToEgress } from './messages.ts';

export interface EgressChild {
  /** @throws CordonError `egress.start`, `egress.open` */
  ask(make: (id: number) => ToEgress): Promise<void>;
  /** Without the process there is nobody to tell, and nothing that it would be about. */
  tell(message: ToEgress): void;
  pid(): number | undefined;
  stop(): void;
}

export interface ChildOptions {
  readonly start: Start;
  readonly onDecision: (decision: Decision) => void;
  readonly onUntold: (run: string, decisions: number) => void;
  readonly attach: ((run: string, host: string) => Promise<Attachment | undefined>) | undefined;
  readonly onDeath: () => void;
  /** A process is there, after one that died: it knows nothing yet. */
  readonly onBirth: (child: EgressChild) => void;
}

/** One that dies at once is not started again at once. */
const REST_MS = 1000;
/** Lookups of names wait for each other in a pool of threads; one run's must not keep all the others from theirs. */
const THREADS = '16';

const startProcess = async (start: Start, onMessage: (message: FromEgress) => void, onExit: () => void): Promise<ChildProcess> => {
  const child = fork(EGRESS_PROGRAM, [JSON.stringify(start)], {
    env: { UV_THREADPOOL_SIZE: THREADS },
    cwd: '/',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) =>
      reject(new CordonError('egress.start', `the egress process ended with ${String(code)} before it was ready`)),
    );
    child.once('error', reject);
  });
  child.on('message', (message: FromEgress) => onMessage(message));
  child.once('exit', onExit);
  return child;
};

/** @throws CordonError `egress.start` */
export const startChild = async ({ start, onDecision, onUntold, attach, onDeath, onBirth }: ChildOptions): Promise<EgressChild> => {
  const waiting = new Map<number, (error?: string) => void>();
  let nextId = 1;
  let stopping = false;
  let bornAt = 0;
  const answer = async ({ id, run, host }: Extract<FromEgress, { type: 'attach' }>): Promise<void> => {
    try {
      const attachment = await attach?.(run, host);
      self.tell({ type: 'attached', id, ...(attachment !== undefined && { attachment }) });
    } catch (error) {
      self.tell({ type: 'attached', id, error: error instanceof Error ? error.message : String(error) });
    }
  };
  const onMessage = (message: FromEgress): void => {
    if (message.type === 'decision') onDecision(message.decision);
    if (message.type === 'untold') onUntold(message.run, message.decisions);
    if (message.type === 'attach') void answer(message);
    if (message.type === 'done') waiting.get(message.id)?.(message.error);
  };
  const begin = async (): Promise<ChildProcess> => {
    const child = await startProcess(start, onMessage, onExit);
    bornAt = performance.now();
    pid = child.pid;
    return child;
  };
  const again = async (): Promise<ChildProcess> => {
    if (performance.now() - bornAt < REST_MS) await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const child = await begin();
    if (stopping) child.kill('SIGKILL');
    return child;
  };
  const revive = (): void => {
    current = again();
    current.then(() => onBirth(self), onDeath);
  };
  const onExit = (): void => {
    for (const settle of waiting.values()) settle('the egress process ended');
    if (stopping) return;
    onDeath();
    revive();
  };
  let pid: number | undefined;
  let current = begin();
  await current;
  /** The process; one that could not be started again is tried once more by whoever needs it next. */
  const running = (): Promise<ChildProcess> =>
    current.catch(() => {
      revive();
      return current;
    });
  const self: EgressChild = {
    ask: async (make) => {
      const child = await running();
      const id = nextId++;
      await new Promise<void>((resolve, reject) => {
        waiting.set(id, (error) =>
          error === undefined
            ? resolve()
            : reject(new CordonError('egress.open', `the way out could not be opened: ${error}`, { retryable: true })),
        );
        // Between its death and the news of it there is nobody to send to.
        child.send(make(id), (error) => error !== null && waiting.get(id)?.(error.message));
      }).finally(() => waiting.delete(id));
    },
    tell: (message) =>
      void current.then(
        (child) => child.send(message, () => undefined),
        () => undefined,
      ),
    pid: () => pid,
    stop: () => {
      stopping = true;
      void current.then(
        (child) => child.kill('SIGKILL'),
        () => undefined,
      );
    },
  };
  return self;
};
