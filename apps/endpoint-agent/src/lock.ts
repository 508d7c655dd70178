/** One daemon per state folder. The kernel drops the lock with its process, however that ends, so nothing stale is ever left to be judged or removed. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CordonError } from '@cordon/policy/errors.ts';

/** SQLITE_BUSY: another connection, here or in another process, holds the file. */
const BUSY = 5;

/**
 * An exclusive transaction on an empty SQLite file, which is never written: a file lock of the kernel, without native code of ours.
 * @throws CordonError `daemon.already-running`, `state.unusable`
 */
export const lockState = (stateDir: string): { release(): void } => {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path.join(stateDir, 'in-use.lock'));
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    file?.close();
    const { errcode, message } = cause as Error & { errcode?: number };
    throw errcode === BUSY
      ? new CordonError('daemon.already-running', `another daemon uses ${stateDir}: stop it, or give this one its own CORDON_AGENT_STATE`, {
          place: stateDir,
          cause,
        })
      : new CordonError('state.unusable', `${stateDir} cannot be locked (${message}): it must be a folder that this account can write to`, {
          place: stateDir,
          cause,
        });
  }
  const held = file;
  return { release: () => held.close() };
};
