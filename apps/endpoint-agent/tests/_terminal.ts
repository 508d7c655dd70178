/** A person at a terminal: a real one, in which the `cordon` command is started as a shell would start it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { expect } from 'vitest';
import { openTerminal, type TerminalSize } from '../src/launch/terminal.ts';

export interface Person {
  /** Everything that was shown so far. */
  screen(): string;
  type(text: string): void;
  resize(size: TerminalSize): void;
  /** Waits until the screen shows it. */
  sees(text: string | RegExp): Promise<void>;
  /** What `stty -g` says of the terminal. */
  modes(): string;
  kill(signal: NodeJS.Signals): void;
  isStopped(): boolean;
  /** Exit status or signal. */
  readonly ended: Promise<number | string>;
  /** The terminal is closed. */
  leave(): void;
}

const PATIENCE = { timeout: 20_000, interval: 10 };

/** @param errors where standard error goes, if not to the terminal */
export const sitDown = async (
  command: readonly string[],
  options: { readonly env: Readonly<Record<string, string>>; readonly cwd: string; readonly size?: TerminalSize; readonly errors?: number },
): Promise<Person> => {
  const size = options.size ?? { rows: 40, columns: 100 };
  const terminal = await openTerminal({ ptmx: '/dev/ptmx', folder: '/dev/pts' }, size, undefined, { socat: 'socat', stty: 'stty' });
  const place = `/dev/pts/${terminal.number}`;
  let shown = '';
  terminal.output.on('data', (chunk: Buffer) => (shown += chunk.toString('utf8')));
  const far = fs.openSync(place, fs.constants.O_RDWR | fs.constants.O_NOCTTY);
  const child = spawn('setsid', ['-c', ...command], {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: [far, far, options.errors ?? far],
  });
  fs.closeSync(far);
  const ended = (once(child, 'exit') as Promise<[number | null, string | null]>).then(([status, signal]) => status ?? signal ?? 'nothing');
  return {
    screen: () => shown,
    type: (text) => void terminal.input.write(text),
    resize: terminal.resize,
    sees: (text) => expect.poll(() => shown, PATIENCE).toMatch(typeof text === 'string' ? new RegExp(RegExp.escape(text)) : text),
    modes: () => spawnSync('stty', ['-F', place, '-g'], { encoding: 'utf8' }).stdout.trim(),
    isStopped: () => /\) T /.test(fs.readFileSync(`/proc/${child.pid}/stat`, 'latin1')),
    kill: (signal) => void child.kill(signal),
    ended,
    leave: () => terminal.output.destroy(),
  };
};
