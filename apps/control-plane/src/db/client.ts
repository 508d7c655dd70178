/** Connections of the application role: Prisma for the administration, a small pool for COPY and other hot paths. */
import { PrismaPg } from '@prisma/adapter-pg';
import { CordonError } from '@cordon/policy/errors.ts';
import pg from 'pg';
import { PrismaClient } from './generated/client.ts';

/** Separate fields, not a URL: the driver lets a URL win over every field beside it. */
export interface DatabaseAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: boolean;
}

/** @throws CordonError config.invalid */
export const parseDatabaseUrl = (text: string): DatabaseAccess => {
  const url = URL.parse(text);
  const database = url?.pathname.slice(1) ?? '';
  if (url === null || url.hostname === '' || database === '') {
    throw new CordonError('config.invalid', 'DATABASE_URL must be like postgresql://owner:password@host:5432/database', {
      place: 'DATABASE_URL',
    });
  }
  const mode = url.searchParams.get('sslmode') ?? 'disable';
  return {
    host: decodeURIComponent(url.hostname),
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(database),
    ssl: mode !== 'disable',
  };
};

/** The driver's own form of an access; certificates are verified whenever TLS is used. */
export const poolConfig = (access: DatabaseAccess, max: number): pg.PoolConfig => ({
  host: access.host,
  port: access.port,
  user: access.user,
  password: access.password,
  database: access.database,
  ...(access.ssl && { ssl: true }),
  max,
  keepAlive: true,
  connectionTimeoutMillis: 10_000,
});

/** One connection for a short piece of work. When it breaks, the query under way fails and says so; broken between two, it does not end the process. */
export const createClient = (config: pg.ClientConfig): pg.Client => {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  return client;
};

/**
 * A pool whose broken connections never end the process: the driver's own pool listens only to idle clients, so one that breaks while it is checked
 * out would be an uncaught exception, beside the failure of its query.
 * @param onError told of each connection that broke; the next use connects again
 */
export const createPool = (config: pg.PoolConfig, onError: (error: Error) => void): pg.Pool => {
  const pool = new pg.Pool(config);
  // A pool that ends lets go of its connections before they are closed: what breaks then was wanted.
  pool.on('connect', (client) => client.on('error', (error) => void (pool.ending || onError(error))));
  pool.on('error', () => undefined); // an idle client: told above already
  return pool;
};

export interface Clients {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * Opens nothing by itself: connections are made when first used, and made anew after the database was gone.
 * @param onError told of idle connections that broke; the next use connects again
 */
export const createClients = (access: DatabaseAccess, onError: (error: Error) => void): Clients => {
  const adapter = new PrismaPg(poolConfig(access, 10), { onPoolError: onError, onConnectionError: onError });
  const prisma = new PrismaClient({ adapter, transactionOptions: { maxWait: 30_000, timeout: 30_000 } });
  const pool = createPool(poolConfig(access, 6), onError);
  return {
    prisma,
    pool,
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
};
