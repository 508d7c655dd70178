/**
 * A terminal of one's own: a pair of a devpts, whose near end is held here. Node opens the device but has no ioctl, so two programs that are there anyway do that
 * part: socat unlocks the pair, stty says its size.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import tty from 'node:tty';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Owner } from './descriptors.ts';
import type { Helpers } from './helpers.ts';

/** In characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface TerminalRequest extends TerminalSize {
  /** What programs know it as: the value of TERM. */
  readonly name: string;
  /** Whether standard error goes to it too; else it stays a pipe. */
  readonly stderr: boolean;
}

export interface Terminal {
  /** Place of the far end in its devpts. */
  readonly number: number;
  /** What is typed: everything, and in the end what a keyboard has for that. */
  readonly input: Writable;
  /** What is to be shown. It ends when nobody holds the far end any more, after `finish`. */
  readonly output: tty.ReadStream;
  resize(size: TerminalSize): void;
  /** Nothing more is typed, and whoever still holds the far end is waited for no longer than anyone else. */
  finish(): void;
}

/** Where a pair is made, and where its far end then lies. */
export interface Devpts {
  readonly ptmx: string;
  readonly folder: string;
}

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = fs.constants;
/** The same on x64 and arm64 (tty_ioctl(4)). */
const TIOCSPTLCK = '0x40045431';
const UNLOCK = `"$1" -u /dev/null FD:3,ioctl-intp=${TIOCSPTLCK}:0 && exec "$2" iutf8 rows "$3" cols "$4" <&3`;
const RESIZE = 'exec "$1" rows "$2" cols "$3" <&3';
/** Ctrl-D. */
const END_OF_INPUT = '\u0004';

/** Standard descriptors would be made blocking, and with them the daemon's own end: they are one. */
const perform = async (script: string, words: readonly string[], fd: number, owner: Owner | undefined): Promise<boolean> => {
  const child = spawn('/bin/sh', ['-c', script, 'terminal', ...words], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', fd],
    ...(owner !== undefined && { uid: owner.uid, gid: owner.gid }),
  });
  try {
    return (await once(child, 'exit'))[0] === 0;
  } catch {
    return false; // it could not be started
  }
};

const inputTo = (output: tty.ReadStream, isOver: () => boolean): Writable => {
  let isLineBegun = false;
  // A key that comes when the far end is closed would break the stream, and with it what is still to be shown.
  const type = (text: Buffer | string, done: () => void): void => void (isOver() ? done() : output.write(text, () => done()));
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      isLineBegun = chunk.at(-1) !== 10;
      type(chunk, done);
    },
    // In the middle of a line the first one only hands over what was typed.
    final: (done) => type(isLineBegun ? END_OF_INPUT.repeat(2) : END_OF_INPUT, done),
  });
};

/**
 * @param owner who may open the far end by its name; this process's own account when undefined
 * @throws CordonError `launch.terminal`
 */
export const openTerminal = async (
  { ptmx, folder }: Devpts,
  size: TerminalSize,
  owner: Owner | undefined,
  { socat, stty }: Pick<Helpers, 'socat' | 'stty'>,
): Promise<Terminal> => {
  const refuse = (what: string, cause?: unknown): never => {
    throw new CordonError('launch.terminal', `the run got no terminal of its own: ${what}. Without one: cordon run --no-tty`, { cause });
  };
  const open = (file: string): number => {
    try {
      return fs.openSync(file, O_RDWR | O_NOCTTY | O_NONBLOCK);
    } catch (cause) {
      return refuse(`${path.basename(file)} cannot be opened`, cause);
    }
  };
  const near = open(ptmx);
  let far: number | undefined;
  try {
    const number = Number(
      /^tty-index:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${near}`, 'latin1'))?.[1] ?? refuse('no pair was made'),
    );
    const place = path.join(folder, String(number));
    if (!(await perform(UNLOCK, [socat, stty, String(size.rows), String(size.columns)], near, owner))) refuse('it could not be prepared');
    if (owner !== undefined) fs.chownSync(place, owner.uid, owner.gid);
    // As long as somebody holds the far end, neither end breaks when its last program has gone.
    far = open(place);
    const output = new tty.ReadStream(near);
    // EIO is how this end tells that the other is closed.
    output.on('error', () => output.destroy());
    let wanted: TerminalSize | undefined;
    let isBusy = false;
    const resize = async (next: TerminalSize): Promise<void> => {
      wanted = next;
      if (isBusy) return;
      isBusy = true;
      for (let now = next; wanted !== undefined && !output.destroyed; now = wanted ?? now) {
        wanted = undefined;
        await perform(RESIZE, [stty, String(now.rows), String(now.columns)], near, owner);
      }
      isBusy = false;
    };
    const finish = (): void => {
      if (far !== undefined) fs.closeSync(far);
      far = undefined;
    };
    output.once('close', finish);
    return { number, output, input: inputTo(output, () => far === undefined), resize: (next) => void resize(next), finish };
  } catch (error) {
    for (const fd of [near, far]) if (fd !== undefined) fs.closeSync(fd);
    throw error;
  }
};
