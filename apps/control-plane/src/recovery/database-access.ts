/** The database for a command beside the service: by DATABASE_URL, the embedded one of a service that runs, or the embedded one started for as long as the command needs it. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Config } from '../config.ts';
import { parseDatabaseUrl, type DatabaseAccess } from '../db/client.ts';
import { runningEmbedded, startEmbedded } from '../db/embedded.ts';
import { loadSecrets, prepareStateFolder } from '../secrets.ts';
import { lockState, type StateLock } from '../state-lock.ts';

export interface Opened {
  readonly owner: DatabaseAccess;
  /** Whether the service runs on this state folder meanwhile. */
  readonly live: boolean;
  close(): Promise<void>;
}

const tryLock = (stateDir: string): StateLock | undefined => {
  try {
    return lockState(stateDir);
  } catch (error) {
    if (error instanceof CordonError && error.code === 'state.in-use') return undefined;
    throw error;
  }
};

/**
 * @param given the database's owner where it runs already, in place of DATABASE_URL
 * @throws CordonError `state.in-use` when the service runs and `mayRun` is false; `state.*`, `db.*`
 */
export const openDatabase = async (
  { stateDir, databaseUrl, databasePort }: Config,
  { mayRun, given, say }: { readonly mayRun: boolean; readonly given?: DatabaseAccess | undefined; say(message: string): void },
): Promise<Opened> => {
  prepareStateFolder(stateDir);
  const lock = mayRun ? tryLock(stateDir) : lockState(stateDir);
  const named = given ?? (databaseUrl === undefined ? undefined : parseDatabaseUrl(databaseUrl));
  const release = async (): Promise<void> => lock?.release();
  try {
    if (named !== undefined) return { owner: named, live: lock === undefined, close: release };
    if (lock === undefined) {
      const owner = runningEmbedded(stateDir, loadSecrets(stateDir).database);
      if (owner === undefined)
        throw new CordonError('db.unreachable', `the service on ${stateDir} has not started its database yet: try again when it is ready`, {
          retryable: true,
        });
      return { owner, live: true, close: release };
    }
    const embedded = await startEmbedded({ stateDir, port: databasePort, secret: loadSecrets(stateDir).database, say });
    const close = async (): Promise<void> => {
      await embedded.close();
      await release();
    };
    return { owner: embedded.owner, live: false, close };
  } catch (error) {
    await release();
    throw error;
  }
};

/** Whether there is an embedded database to open, or another one is named. */
export const hasDatabase = ({ stateDir, databaseUrl }: Config): boolean =>
  databaseUrl !== undefined || fs.existsSync(path.join(stateDir, 'secrets.json'));
