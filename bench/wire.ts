/** Messages between a benchmark and the processes that it forks, and the few WebSocket bytes that both ends make by hand. */
import { createHash } from 'node:crypto';
import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';

/** A masked text frame as a client must send it (RFC 6455 §5.3); a mask of zeros leaves the payload readable. */
export const maskedFrame = (payload: string): Buffer => {
  const body = Buffer.from(payload);
  const header =
    body.length < 126
      ? Buffer.of(0x81, 0x80 | body.length)
      : body.length < 65_536
        ? Buffer.of(0x81, 0xfe, body.length >> 8, body.length & 255)
        : Buffer.of(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 0);
  if (header.length === 10) header.writeUInt32BE(body.length, 6);
  return Buffer.concat([header, Buffer.alloc(4), body]);
};

/** RFC 6455 §4.2.2. */
export const acceptKey = (key: string): string => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

/** Microseconds on the machine's monotonic clock, the same in every process. */
export const micros = (): number => Number(process.hrtime.bigint() / 1000n);

export interface Message {
  readonly op: string;
  readonly [member: string]: unknown;
}

export interface Peer {
  readonly process: ChildProcess;
  /** Sends a message and waits for the answer with this `op`. */
  ask<T extends object>(message: Message, answer?: string): Promise<T>;
  end(): void;
}

/** @param file beside this one */
export const startPeer = (file: string, execArgv: readonly string[] = []): Peer => {
  const child = fork(path.join(import.meta.dirname, file), {
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
    serialization: 'advanced',
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${file} ended with ${String(code)}`)));
  });
  ended.catch(() => undefined);
  const hear = <T>(op: string): Promise<T> =>
    new Promise((resolve) => {
      const listener = (message: { readonly op: string }): void => {
        if (message.op !== op) return;
        child.off('message', listener);
        resolve(message as T);
      };
      child.on('message', listener);
    });
  return {
    process: child,
    ask: (message, answer = message.op) => {
      const heard = hear<never>(answer);
      child.send(message);
      return Promise.race([heard, ended]);
    },
    end: () => void child.kill('SIGKILL'),
  };
};
