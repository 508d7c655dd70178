/**
 * A run's standard streams as true pipes. Those that Node makes are sockets, and a program cannot open a socket again: `> /dev/stderr` or `cat /dev/stdin` would
 * fail inside. The outputs are FIFOs, made some at a time, each gone from its folder before its run starts. The input is a pipe that the wrapper makes, since a
 * FIFO that nobody writes to any more cannot be opened again.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Owner } from './descriptors.ts';

export interface Outputs {
  readonly stdout: net.Socket;
  readonly stderr: net.Socket;
  /** The run's ends, for its process. */
  readonly inside: readonly [stdout: number, stderr: number];
  /** Says who may open them again (this process's own account when undefined), and closes the run's ends here. */
  give(owner: Owner | undefined): void;
  close(): void;
}

export interface Pipes {
  /** @throws CordonError `launch.pipes` */
  open(): Outputs;
}

const BATCH = 24;
const LOW = 8;
const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;

/** A stream that breaks is the end of that stream, of nothing else. */
const quiet = (stream: net.Socket): net.Socket => stream.on('error', () => stream.destroy());

/** @param folder only the daemon may enter it */
export const createPipes = (folder: string, mkfifo: string): Pipes => {
  let refilling = false;
  const ready: string[] = [];
  const names = (): string[] => {
    const batch = randomBytes(6).toString('hex');
    return Array.from({ length: BATCH }, (_, i) => path.join(folder, `pipe-${batch}-${i}`));
  };
  const refill = (): void => {
    if (refilling || ready.length > LOW) return;
    refilling = true;
    const next = names();
    execFile(mkfifo, ['-m', '600', ...next], { env: {}, cwd: '/' }, (error) => {
      refilling = false;
      // A failure shows again, and is told, when the next run finds none.
      if (error === null) ready.push(...next);
    });
  };
  const take = (): string => {
    if (ready.length === 0) {
      const next = names();
      try {
        execFileSync(mkfifo, ['-m', '600', ...next], { env: {}, cwd: '/', stdio: 'pipe' });
      } catch (cause) {
        throw new CordonError('launch.pipes', `the run's streams could not be made in ${folder}: is its disk full?`, {
          place: folder,
          cause,
        });
      }
      ready.push(...next);
    }
    return ready.pop() ?? '';
  };
  const pipe = (): { readonly inside: number; readonly stream: net.Socket } => {
    const file = take();
    // A FIFO opens for writing only where a reader is; the run's end blocks, as programs expect of it.
    const reader = fs.openSync(file, O_RDONLY | O_NONBLOCK);
    const inside = fs.openSync(file, O_WRONLY);
    fs.unlinkSync(file);
    return { inside, stream: quiet(new net.Socket({ fd: reader, readable: true, writable: false })) };
  };
  return {
    open: () => {
      const [stdout, stderr] = [pipe(), pipe()];
      refill();
      let open = [stdout.inside, stderr.inside];
      const give = (owner: Owner | undefined): void => {
        for (const fd of open.splice(0)) {
          if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid);
          fs.closeSync(fd);
        }
      };
      return {
        stdout: stdout.stream,
        stderr: stderr.stream,
        inside: [stdout.inside, stderr.inside],
        give,
        close: () => {
          give(undefined);
          for (const { stream } of [stdout, stderr]) stream.destroy();
        },
      };
    },
  };
};

/** The end to write to of a held run's standard input, which is a pipe that the wrapper made (see wrapper.ts). @throws CordonError `launch.pipes` */
export const inputOf = (init: number): net.Socket => {
  const file = `/proc/${init}/fd/0`;
  if (!fs.readlinkSync(file).startsWith('pipe:'))
    throw new CordonError(
      'launch.pipes',
      "the run's input is not a pipe: /bin/sh of this machine is not one that is supported (dash, busybox, bash from 5.1)",
    );
  return quiet(new net.Socket({ fd: fs.openSync(file, O_WRONLY | O_NONBLOCK), readable: false, writable: true }));
};

const HELD_MS = 500;

/**
 * Waits until everything that a run wrote has been taken, however slow its reader is. A stream that has nothing to give and does not end is held open by a
 * process outside the run, and is given up.
 */
export const drained = (stream: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    if (stream.closed) return resolve();
    let seen = stream.bytesRead;
    const timer = setInterval(() => {
      if (stream.readableLength === 0 && stream.bytesRead === seen) stream.push(null);
      seen = stream.bytesRead;
    }, HELD_MS);
    stream.once('close', () => {
      clearInterval(timer);
      resolve();
    });
  });
