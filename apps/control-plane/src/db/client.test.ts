import pg from 'pg';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import '../../../../infra/vitest-database.ts';
import { createClient, createPool, parseDatabaseUrl, poolConfig } from './client.ts';

describe('a pool', () => {
  it('survives connections that break, idle and in use, and connects again', async () => {
    const { superuser } = inject('database');
    const broken: Error[] = [];
    const pool = createPool(poolConfig(superuser, 3), (error) => broken.push(error));
    const other = new pg.Client(poolConfig(superuser, 1));
    await other.connect();
    onTestFinished(async () => {
      await other.end();
      await pool.end();
    });
    const pidOf = async (client: pg.PoolClient): Promise<number> =>
      Number((await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid);
    const [idle, waiting, busy] = [await pool.connect(), await pool.connect(), await pool.connect()];
    const pids = [await pidOf(idle), await pidOf(waiting), await pidOf(busy)];
    idle.release();
    const working = busy.query('SELECT pg_sleep(60)').catch((error: unknown) => error);
    await expect
      .poll(async () => (await other.query("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", [pids[2]])).rowCount)
      .toBe(1);
    await other.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
    expect(await working).toBeInstanceOf(Error);
    await expect.poll(() => broken.length, { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    for (const client of [waiting, busy]) client.release(true);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});

describe('a connection', () => {
  it('that breaks between two queries does not end the process; the next query fails and says so', async () => {
    const { superuser } = inject('database');
    const client = createClient(poolConfig(superuser, 1));
    await client.connect();
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const other = createClient(poolConfig(superuser, 1));
    await other.connect();
    onTestFinished(() => other.end());
    await other.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow(/not queryable|closed|terminated/i);
  });
});

describe('a pool that ends', () => {
  it('tells nothing of connections that break while they are let go', async () => {
    const broken: Error[] = [];
    const pool = createPool(poolConfig(inject('database').superuser, 1), (error) => broken.push(error));
    const client = await pool.connect();
    const ending = pool.end();
    client.emit('error', new Error('terminating connection due to administrator command'));
    client.release();
    await ending;
    expect(broken).toEqual([]);
  });
});

describe('a database URL', () => {
  it('is taken apart, with what is escaped in it', () =>
    expect(parseDatabaseUrl('postgresql://own%40er:p%2Fw%3A@db.example:5433/my%20db?sslmode=require')).toEqual({
      host: 'db.example',
      port: 5433,
      user: 'own@er',
      password: 'p/w:',
      database: 'my db',
      ssl: true,
    }));

  it('has the usual port, and no TLS unless it is asked for', () =>
    expect(parseDatabaseUrl('postgres://a:b@localhost/cordon')).toMatchObject({ port: 5432, ssl: false }));

  it.each(['postgres://', 'postgres://host', 'postgres:///db', 'nonsense'])('%s is refused', (text) =>
    expect(() => parseDatabaseUrl(text)).toThrow(expect.objectContaining({ code: 'config.invalid', place: 'DATABASE_URL' })),
  );
});
