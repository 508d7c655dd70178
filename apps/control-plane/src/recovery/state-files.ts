/** The state folder's part of a backup: what only this installation has. Databases of the signer are copied as a whole of one moment, also while they are written. */
import fs from 'node:fs';
import path from 'node:path';
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite';
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

/** What a file says at one moment. @param work a private folder */
export const readWhole = async (file: string, work: string): Promise<Buffer> => {
  if (!isDatabase(file)) return fs.readFileSync(file);
  const copy = path.join(work, 'copy.sqlite');
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    await copyDatabase(database, copy);
    return fs.readFileSync(copy);
  } finally {
    database.close();
    fs.rmSync(copy, { force: true });
  }
};
