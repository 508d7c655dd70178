/** The state folder's part of a backup: what only this installation has. The signer's database is copied whole, as of one moment, also while it is in use. */
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';

/** A socket or a half-written file of this moment; belongs to no backup. */
const PASSING = /\.(sock|next|tmp|passing)$|-(wal|shm|journal)$/;
const SQLITE_HEADER = 'SQLite format 3\u0000';

const isDatabase = (file: string): boolean => {
  const head = Buffer.alloc(16);
  const handle = fs.openSync(file, 'r');
  try {
    fs.readSync(handle, head);
  } finally {
    fs.closeSync(handle);
  }
  return head.toString('latin1') === SQLITE_HEADER;
};

/** Paths relative to the state folder: secrets, and everything of the signer's. The embedded database is copied by its rows, and tokens of administrators end with a restore. */
export const stateFiles = (stateDir: string): string[] => {
  const signer = path.join(stateDir, 'signer');
  if (!fs.existsSync(path.join(signer, 'online-keys.json')))
    throw new CordonError('backup.no-signer', `${signer} has no signer keys: set CORDON_STATE to the state folder of the service`, {
      place: signer,
    });
  const own = fs
    .readdirSync(signer, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !PASSING.test(entry.name))
    .map(({ name }) => `signer/${name}`);
  return [...['secrets.json'].filter((name) => fs.existsSync(path.join(stateDir, name))), ...own].sort();
};

const stampOf = (file: string): string => {
  const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeNs}`;
};

/** Whether a copy is a database of one moment. @param work a private folder */
const isWhole = (bytes: Buffer, work: string): boolean => {
  const copy = path.join(work, 'copy.sqlite');
  fs.writeFileSync(copy, bytes, { mode: 0o600 });
  const database = new DatabaseSync(copy);
  try {
    return database.prepare('PRAGMA quick_check').get()?.['quick_check'] === 'ok';
  } finally {
    database.close();
    fs.rmSync(copy);
  }
};

const TRIES = 50;

/**
 * What a file says at one moment. A running signer holds its database for itself alone, so this is a copy of its bytes, taken while nothing is published, while its
 * journal is empty, and without a change from before to after.
 * @param work a private folder
 * @throws CordonError `backup.busy`
 */
export const readWhole = async (file: string, work: string): Promise<Buffer> => {
  if (!isDatabase(file)) return fs.readFileSync(file);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const before = stampOf(file);
    const journals = ['-journal', '-wal'].map((end) => fs.statSync(`${file}${end}`, { throwIfNoEntry: false })?.size ?? 0);
    const bytes = fs.readFileSync(file);
    if (journals.every((size) => size === 0) && stampOf(file) === before && isWhole(bytes, work)) return bytes;
    await wait(100);
  }
  throw new CordonError('backup.busy', `${file} is written all the time: try again, or stop the service first`, {
    place: file,
    retryable: true,
  });
};
