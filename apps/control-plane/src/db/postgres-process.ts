/** One run of the PostgreSQL server, and what may be left of an earlier one. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CordonError } from '@cordon/policy/errors.ts';
import { createClient, poolConfig, type DatabaseAccess } from './client.ts';
import type { Account } from './postgres-files.ts';

/** Nothing of this process's environment reaches the database. */
export const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' } as const;

/** Outgoing connections use ports from 32768 on: a port there may be taken at any time. */
const FIRST_PORT = 15_432;
const LAST_PORT = 15_999;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** @throws CordonError db.port-taken */
export const choosePort = async (wanted: number | undefined): Promise<number> => {
  if (wanted !== undefined) {
    if (await isFree(wanted)) return wanted;
    throw new CordonError(
      'db.port-taken',
      `port ${wanted} for the embedded database is taken: end the program that has it, or set CORDON_DATABASE_PORT to another`,
      { place: 'CORDON_DATABASE_PORT' },
    );
  }
  // Several control planes that start at once should not all try the same port first.
  const start = FIRST_PORT + (process.pid % 400);
  for (let step = 0; step <= LAST_PORT - FIRST_PORT; step += 1) {
    const port = FIRST_PORT + ((start - FIRST_PORT + step) % (LAST_PORT - FIRST_PORT + 1));
    if (await isFree(port)) return port;
  }
  throw new CordonError(
    'db.port-taken',
    `no port between ${FIRST_PORT} and ${LAST_PORT} is free for the embedded database: set CORDON_DATABASE_PORT`,
  );
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, and not ours
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Ends the server that a killed control plane left on this data folder. The caller holds the state folder's lock, so nobody else uses it. */
export const endLeftOver = async (data: string, say: (message: string) => void): Promise<void> => {
  const file = path.join(data, 'postmaster.pid');
  if (!fs.existsSync(file)) return;
  const [line = '', folder = ''] = fs.readFileSync(file, 'utf8').split('\n');
  const pid = Number(line);
  if (!Number.isInteger(pid) || pid < 2 || !isAlive(pid) || path.resolve(folder) !== path.resolve(data)) return;
  const command = `/proc/${pid}/cmdline`;
  if (fs.existsSync(command) && !fs.readFileSync(command, 'utf8').includes('postgres')) return;
  say(`ending the database server that an earlier run left behind (process ${pid})`);
  process.kill(pid, 'SIGINT');
  for (const end = performance.now() + 15_000; isAlive(pid) && performance.now() < end;) await wait(20);
  if (isAlive(pid)) throw new CordonError('db.left-over', `process ${pid} still serves ${data}: end it, then start again`, { place: data });
};

export interface ServerOptions {
  readonly programs: string;
  readonly data: string;
  readonly logFile: string;
  readonly account: Account | undefined;
  /** Superuser access; its port is the port to listen on. */
  readonly access: DatabaseAccess;
  /** False only for tests: a crash of the machine may lose data then. */
  readonly durable: boolean;
}

export interface Server {
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const lastLines = (file: string): string => fs.readFileSync(file, 'utf8').trimEnd().split('\n').slice(-6).join('\n');

const answers = async (access: DatabaseAccess): Promise<boolean> => {
  const client = createClient({ ...poolConfig(access, 1), connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false; // still starting; what is truly wrong is in its log
  } finally {
    await client.end().catch(() => undefined);
  }
};

/** @throws CordonError db.start-failed with the last lines of the server's log, or db.port-taken */
export const startServer = async ({ programs, data, logFile, account, access, durable }: ServerOptions): Promise<Server> => {
  const log = fs.openSync(logFile, 'w', 0o640);
  const settings = {
    listen_addresses: access.host,
    port: String(access.port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    max_connections: '120',
    ...(!durable && { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
  };
  const child = spawn(
    path.join(programs, 'bin/postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      stdio: ['ignore', log, log],
      env: ENVIRONMENT,
      cwd: data,
      // A session of its own: Ctrl-C at the terminal ends the control plane, which then ends the database in order.
      detached: true,
      ...account,
    },
  );
  fs.closeSync(log);
  const state = { running: true };
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      state.running = false;
      resolve();
    };
    child.once('exit', end);
    child.once('error', (error) => {
      fs.appendFileSync(logFile, `${error.message}\n`);
      end();
    });
  });
  const stop = async (): Promise<void> => {
    if (state.running) child.kill('SIGINT');
    await ended;
  };
  for (const end = performance.now() + 60_000; state.running && performance.now() < end; await wait(15))
    if (await answers(access)) return { ended, stop };
  await stop();
  const said = lastLines(logFile);
  if (said.includes('Address already in use'))
    throw new CordonError('db.port-taken', `port ${access.port} for the embedded database is taken`, { retryable: true });
  throw new CordonError('db.start-failed', `the embedded database did not start; it said:\n${said}`, { place: logFile });
};
