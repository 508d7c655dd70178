/** The local API: a socket per account in a folder that only that account can enter. Who asks is known by the socket, never by what the message says. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Account } from './accounts.ts';
import { createDecoder, encodeControl, KIND, socketFor, type Reply, type Request } from './protocol.ts';
import { parseRequest } from './request.ts';

/** One connection of one caller. */
export interface Caller {
  readonly account: Account;
  readonly socket: net.Socket;
  reply(message: Reply): void;
}

export interface Conversation {
  onRequest(request: Request): void;
  onInput(chunk: Buffer): void;
  onClose(): void;
}

const serve = (account: Account, socket: net.Socket, converse: (caller: Caller) => Conversation): void => {
  const reply = (message: Reply): void => {
    if (socket.writable) socket.write(encodeControl(message));
  };
  const conversation = converse({ account, socket, reply });
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
  socket.on('error', () => socket.destroy());
  socket.once('close', () => conversation.onClose());
};

/** @throws CordonError `local.path` when a socket's path would be too long */
export const startLocalApi = async (
  runtimeDir: string,
  accounts: readonly Account[],
  converse: (caller: Caller) => Conversation,
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
      const server = net.createServer((socket) => serve(account, socket, converse));
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
