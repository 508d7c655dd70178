/** The control plane's side of the signer: starts it, asks it, and starts it again for as long as it dies. */
import { fork } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import type { SignerClient, SignerHead } from './contract.ts';
import { signerFiles } from './organisation.ts';

/** For an answer, a restart of the signer included; all leaves of a large fleet take their time. */
const ANSWER_MS = { usual: 10_000, leaves: 25_000 } as const;
const RESTART_MS = { first: 200, most: 5000 } as const;

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
}

interface Asked {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** One running signer process and the connection to it: neither outlives the other. */
interface Link {
  readonly socket: net.Socket;
  readonly ended: Promise<void>;
  kill(): void;
}

const unavailable = (why: string): CordonError =>
  new CordonError('signer.unavailable', `the signer ${why}; nothing was published; try again`, { retryable: true });

const connect = (socketPath: string): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(socketPath, () => resolve(socket));
    socket.once('error', () => reject(unavailable('does not answer')));
  });

/** @param receive gets each line that the signer says. @throws CordonError signer.unavailable; then no process is left */
const open = async (folder: string, receive: (line: string) => void): Promise<Link> => {
  const child = fork(path.join(import.meta.dirname, 'main.ts'), [folder], {
    env: {},
    cwd: '/',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const ready = new Promise<void>((resolve) => child.once('message', () => resolve()));
  const early = ended.then(() => {
    throw unavailable('ended before it was ready: what it said is on standard error');
  });
  try {
    await Promise.race([ready, early]);
    const socket = await Promise.race([connect(signerFiles(folder).socket), early]);
    early.catch(() => socket.destroy());
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n');
      text = lines.pop() ?? '';
      lines.forEach(receive);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => child.kill());
    return { socket, ended, kill: () => void child.kill() };
  } catch (error) {
    child.kill();
    throw error;
  }
};

/**
 * @param folder the signer's own
 * @param onFailure told of each attempt to start it again that failed
 * @throws CordonError `signer.unavailable` when it cannot be started
 */
export const startSigner = async (folder: string, onFailure: (error: unknown) => void): Promise<SignerClient> => {
  const stop = new AbortController();
  const waiting = new Map<number, Asked>();
  let nextId = 1;
  const take = (id: number): Asked | undefined => {
    const asked = waiting.get(id);
    waiting.delete(id);
    return asked;
  };
  const failAll = (why: string): void => {
    for (const id of waiting.keys()) take(id)?.reject(unavailable(why));
  };
  const receive = (line: string): void => {
    const { id, result, code, message = 'the signer refused', retryable = false } = JSON.parse(line) as Reply;
    if (code === undefined) take(id)?.resolve(result);
    else take(id)?.reject(new CordonError(code, message, { retryable }));
  };
  const reopen = async (): Promise<Link> => {
    for (let pause: number = RESTART_MS.first; ; pause = Math.min(pause * 2, RESTART_MS.most)) {
      await wait(pause, undefined, { signal: stop.signal });
      try {
        return await open(folder, receive);
      } catch (error) {
        onFailure(error);
        failAll('cannot be started again');
      }
    }
  };
  let link = open(folder, receive);
  await link;
  const supervise = async (): Promise<void> => {
    for (;;) {
      await (
        await link
      ).ended;
      failAll('ended');
      if (stop.signal.aborted) return;
      link = reopen();
    }
  };
  const supervising = supervise().catch((error: unknown) => {
    if (!stop.signal.aborted) onFailure(error);
  });
  const ask = <T>(op: string, request: object, within: number = ANSWER_MS.usual): Promise<T> => {
    const id = nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // It is this service's own process, and speaks as `contract.ts` says.
    waiting.set(id, { resolve: (result) => resolve(result as T), reject });
    const late = setTimeout(() => take(id)?.reject(unavailable('did not answer in time')), within);
    link.then(
      ({ socket }) => waiting.has(id) && socket.write(`${JSON.stringify({ id, op, request })}\n`),
      () => take(id)?.reject(unavailable('is down')),
    );
    return promise.finally(() => clearTimeout(late));
  };
  return {
    head: () => ask<SignerHead>('head', {}),
    roots: (roots) => ask<void>('roots', { roots }),
    follow: (request) => ask<void>('follow', request, ANSWER_MS.leaves),
    signManifest: (payload) => ask<string>('manifest', payload),
    signCheckpoint: (request) => ask<string>('checkpoint', request, ANSWER_MS.leaves),
    signRunToken: (claims) => ask<string>('run-token', claims),
    close: async () => {
      stop.abort();
      await link.then(
        ({ kill }) => kill(),
        () => undefined, // it was down already
      );
      await supervising;
    },
  };
};
