/** The database of an installation that names none: a real PostgreSQL below the state folder, started, watched and stopped by this process. */
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import { createClient, poolConfig, type DatabaseAccess } from './client.ts';
import { dataFolder, postgresAccount, programFolder, type Account } from './postgres-files.ts';
import { choosePort, endLeftOver, ENVIRONMENT, startServer, type Server, type ServerOptions } from './postgres-process.ts';

export interface EmbeddedOptions {
  readonly stateDir: string;
  /** Undefined: a free port below 32768. */
  readonly port: number | undefined;
  /** From the state folder's secrets; the passwords of superuser and owner derive from it. */
  readonly secret: string;
  readonly say: (message: string) => void;
  readonly durable?: boolean;
}

export interface Embedded {
  /** As the owner of the database `cordon`: may change its shape, is no superuser. */
  readonly owner: DatabaseAccess;
  /** As superuser; for tests that need several databases. */
  readonly superuser: DatabaseAccess;
  close(): Promise<void>;
}

const OWNER = 'cordon_owner';
const DATABASE = 'cordon';
const derive = (secret: string, role: string): string => createHmac('sha256', secret).update(role).digest('base64url');

/** Built beside its final place and renamed: a half-made data folder is never used. */
const initialise = (programs: string, data: string, password: string, account: Account | undefined): void => {
  const making = `${data}.new`;
  fs.rmSync(making, { recursive: true, force: true });
  fs.mkdirSync(making, { mode: 0o700 });
  const passwordFile = `${making}-password`;
  fs.writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account !== undefined) for (const place of [making, passwordFile]) fs.chownSync(place, account.uid, account.gid);
  const options = [
    '-D',
    making,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ];
  const { status, stderr, error } = spawnSync(path.join(programs, 'bin/initdb'), options, {
    env: ENVIRONMENT,
    cwd: making,
    encoding: 'utf8',
    ...account,
  });
  fs.rmSync(passwordFile);
  if (status !== 0)
    throw new CordonError('db.init-failed', `the embedded database could not be made: ${error?.message ?? stderr.trim()}`, {
      place: data,
      cause: error,
    });
  fs.renameSync(making, data);
};

const ensureDatabase = async (superuser: DatabaseAccess, ownerPassword: string): Promise<void> => {
  const client = createClient(poolConfig(superuser, 1));
  await client.connect();
  try {
    const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [OWNER]);
    if (known.rowCount === 0) await client.query(`CREATE ROLE ${OWNER} LOGIN CREATEROLE PASSWORD '${ownerPassword}'`);
    const made = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (made.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER}`);
  } finally {
    await client.end();
  }
};

/** Starts it; when the port was chosen here and somebody was faster, tries another. */
const startSomewhere = async (
  port: number | undefined,
  at: (port: number) => ServerOptions,
): Promise<{ server: Server; options: ServerOptions }> => {
  for (let attempt = 1; ; attempt += 1) {
    const options = at(await choosePort(port));
    try {
      return { server: await startServer(options), options };
    } catch (error) {
      const again = error instanceof CordonError && error.code === 'db.port-taken' && port === undefined && attempt < 5;
      if (!again) throw error;
    }
  }
};

/**
 * The caller holds the lock on the state folder. A server that ends by itself is started again at the same port.
 * @throws CordonError db.init-failed, db.start-failed, db.port-taken, db.no-account, db.no-programs
 */
export const startEmbedded = async ({ stateDir, port, secret, say, durable = true }: EmbeddedOptions): Promise<Embedded> => {
  const account = postgresAccount(say);
  const programs = programFolder(account);
  const data = dataFolder(stateDir, account);
  const base = { host: '127.0.0.1', user: 'postgres', password: derive(secret, 'postgres'), database: 'postgres', ssl: false };
  await endLeftOver(data, say);
  if (!fs.existsSync(data)) {
    say('making the embedded database (first start only, a few seconds)');
    initialise(programs, data, base.password, account);
  }
  const started = await startSomewhere(port, (chosen) => ({
    programs,
    data,
    account,
    durable,
    logFile: path.join(stateDir, 'postgres.log'),
    access: { ...base, port: chosen },
  }));
  const { options } = started;
  let { server } = started;
  const closing = new AbortController();
  const watch = async (): Promise<void> => {
    for (let failures = 0; ;) {
      await server.ended;
      if (closing.signal.aborted) return;
      say('the embedded database ended by itself: starting it again');
      try {
        server = await startServer(options);
        failures = 0;
        // Whoever closed meanwhile could only stop the one before.
        if (closing.signal.aborted) await server.stop();
      } catch (error) {
        failures += 1;
        say(error instanceof Error ? error.message : String(error));
        // An aborted wait is the end that was asked for.
        await wait(Math.min(10_000, 200 * 2 ** failures), undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  };
  const watching = watch();
  const ownerPassword = derive(secret, OWNER);
  const close = async (): Promise<void> => {
    closing.abort();
    await server.stop();
    await watching;
  };
  try {
    await ensureDatabase(options.access, ownerPassword);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    superuser: options.access,
    owner: { ...options.access, user: OWNER, password: ownerPassword, database: DATABASE },
    close,
  };
};

/** The embedded database of a service that runs on this state folder now: as its owner, at the port that it listens on. @returns undefined when it is not there */
export const runningEmbedded = (stateDir: string, secret: string): DatabaseAccess | undefined => {
  const file = path.join(
    dataFolder(
      stateDir,
      postgresAccount(() => undefined),
    ),
    'postmaster.pid',
  );
  if (!fs.existsSync(file)) return undefined;
  // Line 4 of PostgreSQL's own file is the port.
  const port = Number(fs.readFileSync(file, 'utf8').split('\n')[3]);
  if (!Number.isInteger(port) || port < 1) return undefined;
  return { host: '127.0.0.1', port, user: OWNER, password: derive(secret, OWNER), database: DATABASE, ssl: false };
};
