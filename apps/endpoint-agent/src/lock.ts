/** One daemon per state folder: a socket in it that the kernel takes back when the process ends, however it ends. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });

/** @throws CordonError `daemon.already-running` */
export const lockState = async (stateDir: string): Promise<{ release(): void }> => {
  // Relative to the folder's descriptor: a socket's path has at most 107 bytes, a folder's may have more.
  const handle = fs.openSync(stateDir, 'r');
  const socket = `/proc/self/fd/${handle}/lock`;
  const file = path.join(stateDir, 'lock');
  if (fs.existsSync(file)) {
    if (await answers(socket)) {
      fs.closeSync(handle);
      throw new CordonError(
        'daemon.already-running',
        `another daemon uses ${stateDir}: stop it, or give this one its own CORDON_AGENT_STATE`,
        { place: stateDir },
      );
    }
    fs.rmSync(file);
  }
  const server = net.createServer((peer) => peer.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new CordonError('daemon.already-running', `${stateDir} cannot be locked`, { place: stateDir, cause })),
    );
    server.listen(socket, resolve);
  });
  server.unref();
  return {
    release: () => {
      server.close();
      fs.closeSync(handle);
    },
  };
};
