/** Keeps a service alive as systemd would (infra/systemd): started again when it ends without having been asked to. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';

export interface Service {
  readonly name: string;
  pid(): number | undefined;
  restarts(): number;
  stop(): Promise<void>;
}

/** @param log file that receives what the service prints; the terminal belongs to the person */
export const supervise = (name: string, command: readonly string[], env: Readonly<Record<string, string>>, log: string): Service => {
  let child: ChildProcess | undefined;
  let restarts = 0;
  let stopping = false;
  const [program = '', ...args] = command;
  const start = (): void => {
    const out = fs.openSync(log, 'a', 0o600);
    child = spawn(program, args, { env: { ...env }, stdio: ['ignore', out, out], cwd: '/' });
    fs.closeSync(out);
    child.on('exit', () => {
      if (stopping) return;
      restarts += 1;
      // Stopped meanwhile: what would start now would outlive everything.
      setTimeout(() => stopping || start(), Math.min(2000, 100 * restarts));
    });
  };
  start();
  return {
    name,
    pid: () => child?.pid,
    restarts: () => restarts,
    stop: async () => {
      stopping = true;
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
      ending.kill('SIGTERM');
      const hard = setTimeout(() => ending.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(hard);
    },
  };
};

/** The last lines of a service's log, for an error that a person can act on. */
export const tail = (log: string, lines = 12): string => {
  if (!fs.existsSync(log)) return '(no log)';
  return fs.readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
};
