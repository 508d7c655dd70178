/**
 * A service manager for stories on machines without systemd: it reads the very unit that an installation wrote, and does what that says, as far as a process can be
 * given it from outside: command, environment, folders, mask and the bounding set of capabilities. System-call filters of the unit are not applied.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import type { Layout } from '../apps/endpoint-agent/src/install/layout.ts';
import type { ServiceControl } from '../apps/endpoint-agent/src/install/service.ts';

export interface UnitService extends ServiceControl {
  /** What the service said since it was first started. */
  log(): string;
  running(): boolean;
  end(): Promise<void>;
}

const valuesOf = (unit: string, name: string): string[] =>
  unit
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .flatMap((line) => line.slice(name.length + 1).split(' '));

export const createUnitService = (layout: Layout): UnitService => {
  let child: ChildProcess | undefined;
  let log = '';
  const isRoot = process.getuid?.() === 0;

  const start = (): void => {
    const unit = fs.readFileSync(layout.unit, 'utf8');
    const command = valuesOf(unit, 'ExecStart');
    const environment = Object.fromEntries(
      valuesOf(unit, 'Environment').map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
    fs.mkdirSync(layout.state, { recursive: true, mode: Number.parseInt(valuesOf(unit, 'StateDirectoryMode')[0] ?? '', 8) });
    fs.mkdirSync(layout.runtime, { recursive: true, mode: Number.parseInt(valuesOf(unit, 'RuntimeDirectoryMode')[0] ?? '', 8) });
    const bounds = valuesOf(unit, 'CapabilityBoundingSet').map((name) => `+${name.replace('CAP_', '').toLowerCase()}`);
    const [program = '', ...words] = isRoot ? ['setpriv', `--bounding-set=-all,${bounds.join(',')}`, '--', ...command] : command;
    const started = spawn(program, words, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', HOME: '/', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
    child = started;
  };
  /** As the kernel says: this process may not have been told yet. */
  const running = (): boolean => {
    const stat = `/proc/${child?.pid ?? 0}/stat`;
    return child?.pid !== undefined && child.exitCode === null && fs.existsSync(stat) && !/\) Z /.test(fs.readFileSync(stat, 'latin1'));
  };
  /** `stop` of a manager returns when the service has ended; a story cannot wait in the middle of a call, so what follows waits for the lock of the state. */
  const kill = (): void => {
    if (!running()) return;
    child?.kill('SIGTERM');
    const end = performance.now() + 20_000;
    while (running() && performance.now() < end) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  };
  return {
    reload: () => undefined,
    start,
    restart: () => {
      kill();
      start();
    },
    stop: kill,
    remove: kill,
    log: () => log,
    running,
    end: async () => {
      if (!running() || child === undefined) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
};
