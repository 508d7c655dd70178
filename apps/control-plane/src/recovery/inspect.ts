/** Looks at an installation, whatever state it is in, and changes nothing. What cannot be looked at is part of the answer. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Inspection, Trouble } from '@cordon/policy/recovery/facts.ts';
import { rootFingerprint } from '@cordon/policy/trust/root.ts';
import type { Config } from '../config.ts';
import { createClient, poolConfig, type DatabaseAccess } from '../db/client.ts';
import { openKeys } from '../signer/key-file.ts';
import { signerFiles } from '../signer/organisation.ts';
import { isClosed, readMark } from './close-epoch.ts';
import { hasDatabase, openDatabase } from './database-access.ts';
import { readStand } from './stand.ts';

const orTrouble = async <T>(look: () => T | Promise<T>): Promise<T | Trouble> => {
  try {
    return await look();
  } catch (error) {
    if (error instanceof CordonError) return { code: error.code, message: error.message };
    return { code: 'recovery.unreadable', message: error instanceof Error ? error.message : String(error) };
  }
};

const inspectSigner = async (stateDir: string): Promise<Inspection['signer']> => {
  const folder = path.join(stateDir, 'signer');
  const { keys: file, passphrase } = signerFiles(folder);
  const keys = await orTrouble(() => {
    if (!fs.existsSync(file)) return null;
    const { policy, checkpoint, identity } = openKeys(file, passphrase);
    return { policy: policy.kid, checkpoint: checkpoint.kid, identity: identity.kid };
  });
  const mark = await orTrouble(() => readMark(folder));
  return { keys, mark, closed: mark !== null && 'serial' in mark && isClosed(mark) };
};

const inspectDatabase = async (owner: DatabaseAccess, now: Date): Promise<Inspection['database']> => {
  const client = createClient(poolConfig(owner, 1));
  try {
    await client.connect();
    const { rows: there } = await client.query<{ there: boolean }>("SELECT to_regclass('public.organisation') IS NOT NULL AS there");
    if (there[0]?.there !== true) return null;
    const { rows } = await client.query<{ found: boolean; devices: number; owners: number }>(
      `SELECT EXISTS (SELECT 1 FROM organisation) AS found, (SELECT count(*)::int FROM device) AS devices,
         (SELECT count(*)::int FROM api_token WHERE role = 'owner' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)) AS owners`,
      [now],
    );
    const { found = false, devices = 0, owners = 0 } = rows[0] ?? {};
    if (!found) return null;
    const { org, roots, floor, newest, standing, audit } = await readStand(client);
    const fingerprint = rootFingerprint(roots[0] ?? '');
    return { org, fingerprint, roots: [...roots], floor, newest, standing, audit, devices, owners };
  } finally {
    await client.end();
  }
};

/** @param given the database's owner where it runs already */
export const inspect = async (config: Config, now: Date, given?: DatabaseAccess): Promise<Inspection> => {
  const { stateDir } = config;
  const empty = { format: 'cordon-inspection/1' as const, stateDir, running: false, signer: await inspectSigner(stateDir) };
  if (given === undefined && !hasDatabase(config)) return { ...empty, database: null };
  let running = false;
  const database = await orTrouble(async () => {
    const opened = await openDatabase(config, { mayRun: true, given, say: () => undefined });
    running = opened.live;
    try {
      return await inspectDatabase(opened.owner, now);
    } finally {
      await opened.close();
    }
  });
  return { ...empty, running, database };
};
