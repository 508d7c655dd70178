/**
 * Puts a backup into an empty database and an empty state folder. What people and devices did after the backup is unknown to it, so nothing of it is trusted on: every
 * token ends, the signer signs nothing more in that epoch, and the audit log says where it has a gap.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { createZstdDecompress } from 'node:zlib';
import type pg from 'pg';
import { CordonError } from '@cordon/policy/errors.ts';
import { createClient, poolConfig, type DatabaseAccess } from '../db/client.ts';
import { applyMigrations, knownMigrations } from '../db/migrate.ts';
import { writeDurably } from '../durable.ts';
import { afterRestore, type RestoreFacts } from './after-restore.ts';
import { closeEpoch } from './close-epoch.ts';
import { readStand } from './stand.ts';
import { partFile, readManifest, type BackupContent } from './manifest.ts';
import { derivedKey, unseal } from './sealed-stream.ts';
import { advanceSequences, copyIn, makePartitions, readMigrations, readTables } from './tables.ts';

export interface RestoreInput {
  readonly owner: DatabaseAccess;
  readonly stateDir: string;
  readonly from: string;
  readonly passphrase: Uint8Array;
  readonly now: Date;
  /** One half alone: the other one was never lost. */
  readonly only: 'database' | 'state' | undefined;
  /** The newest head of the audit log that anybody kept. */
  readonly auditHead: RestoreFacts['before'];
}

/** Every part is whole, before anything is touched. @throws CordonError `backup.*` */
export const verifyBackup = async (
  from: string,
  passphrase: Uint8Array,
): Promise<{ readonly content: BackupContent; readonly master: Buffer }> => {
  const { content, master } = readManifest(from, passphrase);
  for (const { name, bytes, sha256 } of content.parts) {
    const file = partFile(from, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) throw new CordonError('backup.incomplete', `the part ${name} is missing from ${from}`, { place: file });
    const hash = createHash('sha256');
    await pipeline(fs.createReadStream(file), hash);
    if (stat.size !== bytes || hash.digest('hex') !== sha256)
      throw new CordonError('backup.damaged', `the part ${name} of the backup was changed or cut off: take another backup`, {
        place: file,
      });
  }
  return { content, master };
};

const openPart = (from: string, master: Buffer, name: string) =>
  [fs.createReadStream(partFile(from, name)), unseal(derivedKey(master, name), name), createZstdDecompress()] as const;

const refuseFull = async (client: pg.ClientBase): Promise<void> => {
  for (const { name } of await readTables(client)) {
    const { rowCount } = await client.query(`SELECT 1 FROM "${name}" LIMIT 1`);
    if (rowCount !== 0)
      throw new CordonError(
        'restore.database-full',
        `the database has rows already (${name}): restore into an empty one, and keep the old one for its audit log`,
      );
  }
};

/** The database gets the shape that it had, and later starts bring it on as any older one. */
const shape = async (owner: DatabaseAccess, client: pg.ClientBase, { migrations }: BackupContent): Promise<void> => {
  const known = new Set(knownMigrations());
  const newer = migrations.filter((name) => !known.has(name));
  if (newer.length > 0)
    throw new CordonError(
      'restore.newer',
      `the backup is of a newer version (it has ${newer.join(', ')}): restore with the version that took it`,
    );
  await applyMigrations(owner, new Set(migrations));
  const there = await readMigrations(client);
  const more = there.filter((name) => !migrations.includes(name));
  if (more.length > 0)
    throw new CordonError(
      'restore.database-shape',
      `the database was brought to a newer shape already (${more.join(', ')}): restore into an empty one`,
    );
};

const restoreDatabase = async (
  client: pg.ClientBase,
  { owner, from, now, auditHead }: RestoreInput,
  content: BackupContent,
  master: Buffer,
): Promise<void> => {
  await refuseFull(client);
  await shape(owner, client, content);
  await client.query('BEGIN');
  await makePartitions(client, content.partitions);
  for (const table of content.tables) {
    const rows = copyIn(client, table);
    await pipeline(...openPart(from, master, `database/${table.name}`), rows);
    if (rows.rowCount !== table.rows)
      throw new CordonError('backup.damaged', `${table.name} has ${rows.rowCount} rows; ${table.rows} were backed up`, {
        place: table.name,
      });
  }
  await advanceSequences(client);
  await afterRestore(client, { backup: { id: content.id, at: content.createdAt }, before: auditHead, at: now });
  await client.query('COMMIT');
};

/** Beside its place first: a signer's folder that is half there is worse than none. */
const restoreState = async ({ stateDir, from }: RestoreInput, content: BackupContent, master: Buffer): Promise<void> => {
  const making = path.join(stateDir, 'signer.restoring');
  fs.rmSync(making, { recursive: true, force: true });
  fs.mkdirSync(making, { recursive: true, mode: 0o700 });
  for (const { name } of content.parts.filter((part) => part.name.startsWith('state/'))) {
    const [file, opened, plain] = openPart(from, master, name);
    const bytes = await pipeline(file, opened, plain, buffer);
    const target = name.slice('state/'.length);
    if (target === 'secrets.json') {
      // The embedded database, made before, has its passwords by the secrets that are here.
      if (!fs.existsSync(path.join(stateDir, target))) writeDurably(path.join(stateDir, target), bytes);
    } else writeDurably(path.join(making, path.basename(target)), bytes);
  }
  closeEpoch(making, content.epoch);
  fs.renameSync(making, path.join(stateDir, 'signer'));
};

/** @throws CordonError `backup.*`, `restore.*`, `db.*`: nothing was changed then, or only the empty tables made */
export const restoreBackup = async (input: RestoreInput): Promise<BackupContent> => {
  const { content, master } = await verifyBackup(input.from, input.passphrase);
  const signer = path.join(input.stateDir, 'signer');
  if (input.only !== 'database' && fs.existsSync(signer))
    throw new CordonError(
      'restore.state-full',
      `${signer} is there already: move it away, or restore the database alone with --only database`,
      { place: signer },
    );
  if (input.only === 'database' && !fs.existsSync(signer))
    throw new CordonError('restore.no-signer', `${signer} is not there: restore all of the backup`, { place: signer });
  if (input.only !== 'state') {
    const client = createClient(poolConfig(input.owner, 1));
    try {
      await client.connect();
      await restoreDatabase(client, input, content, master);
    } finally {
      await client.end();
    }
  }
  if (input.only === 'database') closeEpoch(signer, content.epoch);
  else await restoreState(input, content, master);
  return content;
};

/** The database was put back by other means than `restoreBackup`: everything that a restore does beside the rows. @throws CordonError `restore.*` */
export const noteRestore = async ({
  owner,
  stateDir,
  now,
  auditHead,
}: Pick<RestoreInput, 'owner' | 'stateDir' | 'now' | 'auditHead'>): Promise<void> => {
  const client = createClient(poolConfig(owner, 1));
  try {
    await client.connect();
    const { epoch } = await readStand(client);
    await client.query('BEGIN');
    await afterRestore(client, { backup: undefined, before: auditHead, at: now });
    closeEpoch(path.join(stateDir, 'signer'), epoch);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
};
