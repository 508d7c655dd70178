/** The local API: a socket per account in a folder that only that account can enter. Who asks is known by the socket, never by what the message says. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Account } from './accounts.ts';
import type { LiveRun } from '../runs/run-table.ts';
import { createDecoder, encodeControl, KIND, socketFor, type Reply, type Request } from './protocol.ts';
import { parseRequest } from './request.ts';

/** One connection of one caller. */
export interface Caller {
  readonly account: Account;
  /** The run that asks, when it is one: whoever asks from inside is that run, through whatever socket. */
  readonly inside: LiveRun | undefined;
  readonly socket: net.Socket;
  reply(message: Reply): void;
}

export interface Conversation {
  onRequest(request: Request): void;
  onInput(chunk: Buffer): void;
  onClose(): void;
}

/** @throws CordonError `local.origin` */
export type OriginOf = (socket: net.Socket) => LiveRun | undefined;
export type Converse = (caller: Caller) => Conversation;

const serve = (account: Account, inside: LiveRun | undefined, socket: net.Socket, converse: Converse): void => {
  const reply = (message: Reply): void => {
    if (socket.writable) socket.write(encodeControl(message));
  };
  const conversation = converse({ account, inside, socket, reply });
  const decode = createDecoder((kind, payload) => {
    if (kind === KIND.stdin) conversation.onInput(Buffer.from(payload));
    else if (kind === KIND.control) conversation.onRequest(parseRequest(payload));
    else throw new CordonError('local.frame', 'a kind that only the daemon sends');
  });
  socket.on('data', (chunk) => {
    try {
      decode(chunk);
    } catch (error) {
      const { code, message } =
        error instanceof CordonError ? error : { code: 'local.failed', message: 'the daemon could not read the request' };
      socket.end(encodeControl({ type: 'error', code, message }));
    }
  });
  socket.once('close', () => conversation.onClose());
};

/** @param whom who asks, by the connection and the socket that it came through */
const receive = (
  socket: net.Socket,
  converse: Converse,
  whom: () => { readonly account: Account; readonly inside: LiveRun | undefined },
): void => {
  socket.on('error', () => socket.destroy());
  try {
    const { account, inside } = whom();
    serve(account, inside, socket, converse);
  } catch (error) {
    const { code, message } = error instanceof CordonError ? error : { code: 'local.failed', message: 'the daemon cannot tell who asks' };
    socket.end(encodeControl({ type: 'error', code, message }));
  }
};

/** Answers at the doors of runs: to each run at its own. */
export const answerInside =
  (originOf: OriginOf, converse: Converse) =>
  (socket: net.Socket, door: string): void =>
    receive(socket, converse, () => {
      const inside = originOf(socket);
      if (inside === undefined || inside.run.door !== door) throw new CordonError('local.origin', 'this door is for the run behind it');
      return { account: inside.account, inside };
    });

/** @throws CordonError `local.path` when a socket's path would be too long */
export const startLocalApi = async (
  runtimeDir: string,
  accounts: readonly Account[],
  originOf: OriginOf,
  converse: Converse,
): Promise<{ stop(): void }> => {
  const users = path.join(runtimeDir, 'users');
  const root = process.getuid?.() === 0;
  fs.mkdirSync(users, { recursive: true, mode: 0o755 });
  fs.chmodSync(users, 0o755);
  const servers = await Promise.all(
    accounts.map(async (account) => {
      const file = socketFor(runtimeDir, account.uid);
      if (Buffer.byteLength(file) > 107)
        throw new CordonError('local.path', `${file} is too long for a socket: choose a shorter CORDON_AGENT_RUNTIME`, { place: file });
      const folder = path.dirname(file);
      fs.rmSync(folder, { recursive: true, force: true });
      fs.mkdirSync(folder, { mode: 0o700 });
      const server = net.createServer((socket) => receive(socket, converse, () => ({ account, inside: originOf(socket) })));
      server.maxConnections = 128;
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(file, resolve));
      fs.chmodSync(file, 0o600);
      // The folder stays root's: its account may enter, not put another socket in the place of this one.
      if (root && account.uid !== 0) {
        fs.chownSync(file, account.uid, account.gid);
        fs.chownSync(folder, 0, account.gid);
        fs.chmodSync(folder, 0o710);
      }
      return server;
    }),
  );
  return {
    stop: () => {
      for (const server of servers) server.close();
      fs.rmSync(users, { recursive: true, force: true });
    },
  };
};
