/**
 * The recorder of file accesses: strace(1), attached from outside to a sandbox whose gate is still closed, so that nothing is missed. It has the run's own account
 * and no rights; nothing of it is inside. It sees what programs ask for and what they are told, and costs every system call twice a stop: for learning only.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import readline from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import type { Owner } from '../launch/descriptors.ts';
import { createTraceReader, type FileAccess } from './trace-line.ts';

export interface Recording {
  readonly name: 'strace';
  /** The run has ended. @returns whether everything until then was seen */
  finish(): Promise<boolean>;
}

export interface RecorderOptions {
  readonly strace: string;
  readonly setpriv: string;
  /** The run's account; this process's own when undefined. */
  readonly owner: Owner | undefined;
  readonly onAccess: (access: FileAccess) => void;
}

const PLACES = ['/usr/bin/strace', '/bin/strace', '/usr/local/bin/strace'];
const ATTACH_MS = 5000;
const FINISH_MS = 5000;
/** Longer than a call with two of the longest paths, each byte escaped. */
const MAX_LINE = 65_536;

/** @returns where it is; undefined where there is none that root alone can change */
export const findStrace = (places: readonly string[] = PLACES): string | undefined =>
  places.find((place) => {
    const stat = fs.statSync(place, { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.uid === 0 && (stat.mode & 0o022) === 0;
  });

/** proc_pid_status(5) */
const tracerOf = (pid: number): number => {
  try {
    return Number(/^TracerPid:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
};

/** @param init the held sandbox's. @returns undefined when it could not be attached: the system does not let processes be traced */
export const startRecorder = async (
  init: number,
  { strace, setpriv, owner, onAccess }: RecorderOptions,
): Promise<Recording | undefined> => {
  const traced = [strace, '-f', '-y', '-s', '0', '-e', 'trace=%file', '-e', 'signal=none', '-p', String(init)];
  const dropped =
    owner === undefined
      ? []
      : [
          setpriv,
          '--reuid',
          String(owner.uid),
          '--regid',
          String(owner.gid),
          '--clear-groups',
          '--inh-caps=-all',
          '--bounding-set=-all',
          '--no-new-privs',
        ];
  const [program = '', ...words] = [...dropped, ...traced];
  const child = spawn(program, words, { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  child.once('error', () => undefined); // it has no process then, and nothing is attached
  const read = createTraceReader();
  const lines = readline.createInterface({ input: child.stderr, crlfDelay: Infinity });
  lines.on('line', (line) => {
    if (line.length <= MAX_LINE) for (const access of read(line)) onAccess(access);
  });
  // Its last line may come before or after its end.
  const over = Promise.all([
    new Promise<void>((resolve) => lines.once('close', resolve)),
    new Promise((resolve) => child.once('close', resolve)),
  ]);
  const hasEnded = (): boolean => child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  const end = performance.now() + ATTACH_MS;
  while (tracerOf(init) !== child.pid) {
    if (hasEnded() || performance.now() > end) {
      child.kill('SIGKILL');
      return undefined;
    }
    await wait(2);
  }
  return {
    name: 'strace',
    finish: async () => {
      // It ends when nothing of the run is left; had it ended before, the rest was not seen.
      const patience = new AbortController();
      const done = over.then(() => child.exitCode === 0);
      const late = wait(FINISH_MS, false, { signal: patience.signal }).catch(() => false);
      const isWhole = await Promise.race([done, late]);
      patience.abort();
      child.kill('SIGKILL');
      return isWhole;
    },
  };
};
