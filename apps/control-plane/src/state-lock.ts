/** One process per state folder. The kernel drops the lock with its process, however that ends, so nothing stale is ever left to be judged or removed. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CordonError } from '@cordon/policy/errors.ts';

export interface StateLock {
  release(): void;
}

/** SQLITE_BUSY: another connection, here or in another process, holds the file. */
const BUSY = 5;

/**
 * An exclusive transaction on an empty SQLite file, which is never written: SQLite's file lock works alike on every system, and between processes.
 * @throws CordonError state.in-use, state.unusable
 */
export const lockState = (stateDir: string): StateLock => {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path.join(stateDir, 'in-use.lock'));
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    file?.close();
    const { errcode, message } = cause as Error & { errcode?: number };
    if (errcode === BUSY)
      throw new CordonError('state.in-use', `another control plane uses ${stateDir}: stop it, or give this one its own CORDON_STATE`, {
        place: stateDir,
        cause,
      });
    throw new CordonError(
      'state.unusable',
      `${stateDir} cannot be locked (${message}): it must be a folder that this account can write to`,
      {
        place: stateDir,
        cause,
      },
    );
  }
  const held = file;
  return { release: () => held.close() };
};
