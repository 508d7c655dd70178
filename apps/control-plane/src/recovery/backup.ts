/** A backup of a service, also while it runs: its database as of one moment, its secrets and its signer, sealed under a passphrase. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress } from 'node:zlib';
import type pg from 'pg';
import { CordonError } from '@cordon/policy/errors.ts';
import { createClient, poolConfig, type DatabaseAccess } from '../db/client.ts';
import { writeDurably } from '../durable.ts';
import { manifestFile, manifestText, partFile, type BackupContent } from './manifest.ts';
import { derivedKey, masterKey, seal } from './sealed-stream.ts';
import { readStand } from './stand.ts';
import { readWhole, stateFiles } from './state-files.ts';
import { copyOut, readMigrations, readPartitions, readTables } from './tables.ts';

type Part = BackupContent['parts'][number];

export interface BackupInput {
  readonly owner: DatabaseAccess;
  readonly stateDir: string;
  /** A folder that is not there yet. */
  readonly out: string;
  readonly passphrase: Uint8Array;
  readonly now: Date;
}

/** Writes one part and syncs it. */
const writePart = async (out: string, master: Buffer, name: string, source: Readable): Promise<Part> => {
  const file = partFile(out, name);
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const hash = createHash('sha256');
  let bytes = 0;
  const count = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
      yield piece;
    }
  };
  const target = fs.createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true });
  await pipeline(source, createZstdCompress(), seal(derivedKey(master, name)), count, target);
  return { name, bytes, sha256: hash.digest('hex') };
};

/** No publish is half done while this is held; the copy itself needs no lock. */
const PUBLISHING = '1129272402, 3';

const writeAll = async (client: pg.ClientBase, { stateDir, out, passphrase, now }: BackupInput): Promise<BackupContent> => {
  const salt = randomBytes(16);
  const master = masterKey(passphrase, salt);
  const parts: Part[] = [];
  await client.query(`SELECT pg_advisory_lock_shared(${PUBLISHING})`);
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const stand = await readStand(client);
  const work = fs.mkdtempSync(path.join(out, 'work-'));
  for (const name of stateFiles(stateDir)) {
    const bytes = await readWhole(path.join(stateDir, name), work);
    parts.push(await writePart(out, master, `state/${name}`, Readable.from([bytes])));
  }
  fs.rmdirSync(work);
  await client.query(`SELECT pg_advisory_unlock_shared(${PUBLISHING})`);
  const tables: BackupContent['tables'] = [];
  for (const table of await readTables(client)) {
    const rows = copyOut(client, table);
    parts.push(await writePart(out, master, `database/${table.name}`, rows));
    tables.push({ name: table.name, columns: [...table.columns], rows: rows.rowCount });
  }
  const [migrations, partitions] = [await readMigrations(client), await readPartitions(client)];
  await client.query('COMMIT');
  const { org, roots, floor, epoch, serial, audit } = stand;
  const id = `bak_${randomBytes(12).toString('base64url')}`;
  const content: BackupContent = {
    format: 'cordon-backup/1',
    id,
    createdAt: now.toISOString(),
    org,
    epoch,
    serial,
    audit,
    migrations,
    tables,
    partitions,
    salt: salt.toString('base64url'),
    parts,
  };
  // Public: what every later change of the keys begins with.
  writeDurably(path.join(out, 'organisation.json'), `${JSON.stringify({ format: 'cordon-organisation/1', org, roots, floor }, null, 1)}\n`);
  // Last: a folder without it is no backup.
  writeDurably(manifestFile(out), manifestText(content, master));
  return content;
};

/** @throws CordonError `backup.exists`, `backup.no-signer`, `backup.empty`, `db.*`; a backup that failed leaves nothing */
export const takeBackup = async (input: BackupInput): Promise<BackupContent> => {
  if (fs.existsSync(input.out))
    throw new CordonError('backup.exists', `${input.out} is there already: each backup gets a folder of its own`, { place: input.out });
  fs.mkdirSync(input.out, { recursive: true, mode: 0o700 });
  const client = createClient(poolConfig(input.owner, 1));
  try {
    await client.connect();
    return await writeAll(client, input);
  } catch (error) {
    fs.rmSync(input.out, { recursive: true, force: true });
    throw error;
  } finally {
    await client.end();
  }
};
