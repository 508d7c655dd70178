/** What only this installation may know, in the state folder and nowhere else; and the lock that keeps a second process out of it. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

export interface Secrets {
  /** Passwords of the embedded database derive from it. */
  readonly database: string;
}

/** Written beside its place, flushed and renamed: never half there. */
export const writeSecret = (file: string, text: string): void => {
  const making = `${file}.new`;
  const handle = fs.openSync(making, 'w', 0o600);
  try {
    fs.writeSync(handle, text);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(making, file);
};

/** Others may pass through (the database's account has its own folder below), nobody else may look. @throws CordonError state.unusable */
export const prepareStateFolder = (stateDir: string): void => {
  try {
    fs.mkdirSync(stateDir, { recursive: true, mode: 0o711 });
    fs.chmodSync(stateDir, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (cause) {
    throw new CordonError(
      'state.unusable',
      `${stateDir} cannot be used as the state folder (${(cause as Error).message}): give it to the account that Cordon runs as, or change CORDON_STATE`,
      { place: stateDir, cause },
    );
  }
};

const parseOrUndefined = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller says what that means
  }
};

/** @throws CordonError state.damaged */
export const loadSecrets = (stateDir: string): Secrets => {
  const file = path.join(stateDir, 'secrets.json');
  if (!fs.existsSync(file)) writeSecret(file, JSON.stringify({ database: randomBytes(32).toString('base64url') }));
  const read = parseOrUndefined(fs.readFileSync(file, 'utf8'));
  if (typeof read === 'object' && read !== null && 'database' in read && typeof read.database === 'string' && read.database.length >= 32)
    return { database: read.database };
  throw new CordonError('state.damaged', `${file} is not what Cordon wrote: restore it from the backup of the state folder`, {
    place: file,
  });
};

export interface StateLock {
  release(): Promise<void>;
}

const listen = (socket: string): Promise<net.Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = net.createServer((peer) => peer.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(socket, () => resolve(server));
  });

const somebodyAnswers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });

/** The kernel drops the listener with its process, so a killed control plane leaves no lock behind. */
export const lockState = async (stateDir: string): Promise<StateLock> => {
  const folder = fs.realpathSync(stateDir);
  // Socket paths are at most 107 bytes: relative to the folder's descriptor where the system has such paths.
  const handle = process.platform === 'linux' ? fs.openSync(folder, 'r') : undefined;
  const socket =
    process.platform === 'win32'
      ? `\\\\.\\pipe\\${folder.replaceAll(/[\\/:]/g, '-')}`
      : path.join(handle === undefined ? folder : `/proc/self/fd/${handle}`, 'lock');
  let server = await listen(socket);
  if (server === undefined && !(await somebodyAnswers(socket))) {
    fs.rmSync(path.join(folder, 'lock'), { force: true });
    server = await listen(socket);
  }
  if (server === undefined) {
    if (handle !== undefined) fs.closeSync(handle);
    throw new CordonError('state.in-use', `another control plane uses ${stateDir}: stop it, or give this one its own CORDON_STATE`, {
      place: stateDir,
    });
  }
  const held = server;
  held.unref();
  return {
    release: async () => {
      await new Promise<void>((resolve) => held.close(() => resolve()));
      if (handle !== undefined) fs.closeSync(handle);
    },
  };
};
