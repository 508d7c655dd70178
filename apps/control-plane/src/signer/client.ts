/** The control plane's side of the signer: starts it, asks it, and starts it again when it dies. */
import { fork, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { SignerClient } from '../context.ts';
import { signerFiles } from './organisation.ts';

const ANSWER_MS = 10_000;
const RESTART_MS = 200;

interface Reply {
  readonly id: number;
  readonly jws?: string;
  readonly code?: string;
  readonly message?: string;
}

const unavailable = (why: string): CordonError =>
  new CordonError('signer.unavailable', `the signer ${why}; nothing was published`, { retryable: true });

const startProcess = (folder: string): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const child = fork(path.join(import.meta.dirname, 'main.ts'), [folder], {
      env: {},
      cwd: '/',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.once('message', () => resolve(child));
    child.once('error', reject);
    child.once('exit', (code) => reject(unavailable(`ended with ${String(code)} before it was ready`)));
  });

/** One request, one connection turn: a line out, a line back. */
const connect = (socketPath: string): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(socketPath, () => resolve(socket));
    socket.once('error', () => reject(unavailable('does not answer')));
  });

/** @throws CordonError `signer.unavailable` when it cannot be started */
export const startSigner = async (folder: string): Promise<SignerClient> => {
  const { socket: socketPath } = signerFiles(folder);
  const waiting = new Map<number, { resolve: (jws: string) => void; reject: (error: Error) => void }>();
  let nextId = 1;
  let stopping = false;
  let child: ChildProcess;
  let socket: net.Socket;
  const receive = (line: string): void => {
    const reply = JSON.parse(line) as Reply;
    const asked = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.jws === undefined) asked?.reject(new CordonError(reply.code ?? 'signer.failed', reply.message ?? 'the signer refused'));
    else asked?.resolve(reply.jws);
  };
  const failAll = (): void => {
    for (const asked of waiting.values()) asked.reject(unavailable('ended'));
    waiting.clear();
  };
  const start = async (): Promise<void> => {
    child = await startProcess(folder);
    socket = await connect(socketPath);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n');
      text = lines.pop() ?? '';
      lines.forEach(receive);
    });
    socket.on('error', failAll);
    socket.on('close', failAll);
    child.removeAllListeners('exit').once('exit', () => {
      failAll();
      if (!stopping) current = new Promise<void>((resolve) => setTimeout(resolve, RESTART_MS)).then(start);
    });
  };
  let current = start();
  await current;
  const ask = async (op: 'manifest' | 'checkpoint', payload: object): Promise<string> => {
    await current.catch(() => {
      throw unavailable('is down');
    });
    const id = nextId++;
    return new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(id);
        reject(unavailable('did not answer in time'));
      }, ANSWER_MS);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(late);
          then(value);
        };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      socket.write(`${JSON.stringify({ id, op, payload })}\n`);
    });
  };
  return {
    signManifest: (payload) => ask('manifest', payload),
    signCheckpoint: (payload) => ask('checkpoint', payload),
    close: async () => {
      stopping = true;
      await current.catch(() => undefined);
      socket.destroy();
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await ended;
      }
    },
  };
};
