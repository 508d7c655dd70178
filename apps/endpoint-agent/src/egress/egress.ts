/** The daemon's side of the egress process: opens a way out for each run, and starts the process again when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { NO_EGRESS } from '@cordon/policy/effective.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import type { Owner } from '../launch/descriptors.ts';
import { EGRESS_PROGRAM } from '../place.ts';
import type { Decision, FromEgress, ToEgress } from './messages.ts';

export interface EgressOptions {
  /** Short: sockets lie below it, and their path has at most 107 bytes. */
  readonly runtimeDir: string;
  /** Account that the process drops to; needed when the daemon is root. */
  readonly dropTo?: Owner;
  /** Host → address, before DNS. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly onDecision: (decision: Decision) => void;
  /** The process died; runs that were open have lost their way out. */
  readonly onDeath?: () => void;
}

export interface Egress {
  /** @returns the run's socket, listening, and open to its owner alone */
  open(run: string, rules: LaunchPlan['egress'], owner: Owner): Promise<{ socket: string }>;
  /** What was opened under another name is this run's from now on. */
  assign(name: string, run: string, rules: LaunchPlan['egress']): Promise<void>;
  update(run: string, rules: LaunchPlan['egress']): void;
  close(run: string): Promise<void>;
  pid(): number | undefined;
  /** Whose rights the process has. */
  readonly account: Owner;
  stop(): void;
}

export const DENY_ALL: LaunchPlan['egress'] = NO_EGRESS;

const startProcess = async (
  options: EgressOptions,
  onMessage: (message: FromEgress) => void,
  onExit: (child: ChildProcess) => void,
): Promise<ChildProcess> => {
  const child = fork(EGRESS_PROGRAM, [JSON.stringify({ dropTo: options.dropTo ?? null, hosts: options.hosts ?? {} })], {
    env: {},
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
  child.once('exit', () => onExit(child));
  return child;
};

/** @throws CordonError `egress.start`, `egress.path` when a socket's path would be too long */
export const startEgress = async (options: EgressOptions): Promise<Egress> => {
  const folder = path.join(options.runtimeDir, 'egress');
  /** Where the socket of a run lies, if not under its own name. */
  const names = new Map<string, string>();
  const waiting = new Map<number, (error?: string) => void>();
  let nextId = 1;
  let stopping = false;
  const onMessage = (message: FromEgress): void => {
    if (message.type === 'decision') options.onDecision(message.decision);
    if (message.type === 'done') waiting.get(message.id)?.(message.error);
  };
  const onExit = (): void => {
    for (const settle of waiting.values()) settle('the egress process ended');
    if (stopping) return;
    options.onDeath?.();
    current = startProcess(options, onMessage, onExit);
    current.then(
      (child) => (pid = child.pid),
      () => options.onDeath?.(),
    );
  };
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true, mode: 0o711 });
  fs.chmodSync(folder, 0o711);
  let current = startProcess(options, onMessage, onExit);
  let pid = (await current).pid;
  /** The process; one that could not be started again is tried once more by whoever needs it next. */
  const running = (): Promise<ChildProcess> =>
    current.catch(() => {
      current = startProcess(options, onMessage, onExit);
      return current;
    });
  const ask = async (make: (id: number) => ToEgress): Promise<void> => {
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
  };
  return {
    open: async (run, rules, owner) => {
      const own = path.join(folder, run);
      const socket = path.join(own, 'proxy.sock');
      if (Buffer.byteLength(socket) > 107)
        throw new CordonError('egress.path', `${socket} is too long for a socket: choose a shorter CORDON_AGENT_RUNTIME`, {
          place: socket,
        });
      fs.mkdirSync(own, { mode: 0o711 });
      if (options.dropTo !== undefined) fs.chownSync(own, options.dropTo.uid, options.dropTo.gid);
      try {
        await ask((id) => ({ type: 'open', id, run, socket, rules }));
        if (options.dropTo !== undefined) fs.chownSync(socket, owner.uid, owner.gid);
        return { socket };
      } catch (error) {
        fs.rmSync(own, { recursive: true, force: true });
        throw error;
      }
    },
    assign: async (name, run, rules) => {
      names.set(run, name);
      await ask((id) => ({ type: 'assign', id, name, run, rules }));
    },
    // Without the process nothing is open that new rules could be for.
    update: (run, rules) =>
      void current.then(
        (child) => child.send({ type: 'update', run, rules } satisfies ToEgress, () => undefined),
        () => undefined,
      ),
    close: async (run) => {
      // A process that died has closed everything already.
      await ask((id) => ({ type: 'close', id, run })).catch((error: unknown) => {
        if (!(error instanceof CordonError)) throw error;
      });
      fs.rmSync(path.join(folder, names.get(run) ?? run), { recursive: true, force: true });
      names.delete(run);
    },
    pid: () => pid,
    account: options.dropTo ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    stop: () => {
      stopping = true;
      void current.then(
        (child) => child.kill('SIGKILL'),
        () => undefined,
      );
    },
  };
};
