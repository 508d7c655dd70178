/** The way from inside a run to the daemon: a socket of the run's own, in a folder that its sandbox shows. Made with the seat, before anyone asks for the run. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

export interface Door {
  /** To be shown inside, at the same place. */
  readonly folder: string;
  readonly socket: string;
  close(): void;
}

export interface Doors {
  open(): Promise<Door>;
  /** Who answers. Until then nobody does. */
  serve(answer: (socket: net.Socket, door: string) => void): void;
}

/** Of one run at once, with all that it starts. */
const MAX_CONNECTIONS = 64;

/**
 * @param parent a folder that every account may enter and none can list: the sandbox is set up by the run's own account. Who else comes through is refused by where
 * the connection was made.
 */
export const createDoors = (parent: string): Doors => {
  let answer: (socket: net.Socket, door: string) => void = (socket) => void socket.destroy();
  return {
    open: async () => {
      const folder = path.join(parent, randomBytes(9).toString('base64url'));
      const socket = path.join(folder, 'cordon.sock');
      fs.mkdirSync(folder);
      fs.chmodSync(folder, 0o755);
      const server = net.createServer((connection) => answer(connection, socket));
      server.maxConnections = MAX_CONNECTIONS;
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));
      fs.chmodSync(socket, 0o666);
      return {
        folder,
        socket,
        close: () => {
          server.close();
          fs.rmSync(folder, { recursive: true, force: true });
        },
      };
    },
    serve: (next) => (answer = next),
  };
};
