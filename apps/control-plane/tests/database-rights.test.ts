import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { APPLICATION_ROLE } from '../src/db/roles.ts';
import { POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
let owner: pg.Client;
beforeAll(async () => {
  test = await startPlane();
  await test.admin('POST', '/policies', { body: { yaml: POLICY } });
  owner = new pg.Client(poolConfig(test.owner, 1));
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await test.close();
});

/** As the service runs. A refusal is what PostgreSQL says of rights, not of triggers or syntax. */
const asApplication = (sql: string): Promise<unknown> => test.plane.context.pool.query(sql);
const refused = /permission denied|must be (?:owner|superuser|able to)|only roles with/;

/** What the service may do with each table, in full: whatever is not here is not allowed. */
const RIGHTS: Readonly<Record<string, string>> = {
  api_token: 'SELECT INSERT UPDATE',
  assignment: 'SELECT INSERT UPDATE DELETE',
  audit_entry: 'SELECT INSERT',
  bundle: 'SELECT INSERT UPDATE DELETE',
  change_set: 'SELECT INSERT UPDATE',
  checkpoint: 'SELECT INSERT UPDATE DELETE',
  cohort: 'SELECT INSERT UPDATE',
  cosignature: 'SELECT INSERT',
  device: 'SELECT INSERT UPDATE',
  device_group: 'SELECT INSERT UPDATE DELETE',
  device_head: 'SELECT INSERT',
  device_integrity: 'SELECT INSERT UPDATE',
  device_inventory: 'SELECT INSERT UPDATE DELETE',
  device_join: 'SELECT INSERT UPDATE',
  device_order: 'SELECT INSERT UPDATE',
  device_status: 'SELECT INSERT UPDATE',
  enrollment_token: 'SELECT INSERT UPDATE',
  exception_grant: 'SELECT INSERT UPDATE',
  exception_request: 'SELECT INSERT UPDATE',
  former_key: 'SELECT INSERT',
  group_member: 'SELECT INSERT UPDATE DELETE',
  history_finding: 'SELECT INSERT',
  inventory_agent: 'SELECT INSERT UPDATE DELETE',
  inventory_server: 'SELECT INSERT UPDATE DELETE',
  inventory_sighting: 'SELECT INSERT UPDATE DELETE',
  organisation: 'SELECT INSERT UPDATE',
  policy: 'SELECT INSERT UPDATE',
  policy_revision: 'SELECT INSERT',
  proposal: 'SELECT INSERT UPDATE',
  proposal_signature: 'SELECT INSERT',
  report_finding: 'SELECT INSERT',
  telemetry_batch: 'SELECT INSERT',
  telemetry_cursor: 'SELECT INSERT UPDATE',
  telemetry_event: 'SELECT INSERT',
};

describe('the role of the service in the database', () => {
  it('has exactly these rights on exactly these tables', async () => {
    const { rows } = await owner.query<{ name: string; rights: string }>(
      `SELECT c.relname AS name, string_agg(p, ' ' ORDER BY o) AS rights
       FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE','REFERENCES','TRIGGER','MAINTAIN']) WITH ORDINALITY AS r(p, o)
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
         AND CASE WHEN p = 'MAINTAIN' THEN current_setting('server_version_num')::int >= 170000 ELSE true END
         AND has_table_privilege($1, c.oid, p) GROUP BY 1`,
      [APPLICATION_ROLE],
    );
    expect(Object.fromEntries(rows.map(({ name, rights }) => [name, rights]))).toEqual(RIGHTS);
  });

  it('has none on the partitions themselves, nor on the list of migrations', async () => {
    const { rows } = await owner.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
         AND (c.relispartition OR c.relname = '_prisma_migrations') AND has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE')`,
      [APPLICATION_ROLE],
    );
    expect(rows).toEqual([]);
  });

  it('is no superuser, makes no roles and databases, inherits nothing, and owns nothing', async () => {
    const { rows } = await owner.query(
      'SELECT rolsuper, rolcreaterole, rolcreatedb, rolinherit, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1',
      [APPLICATION_ROLE],
    );
    expect(rows).toEqual([
      { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolinherit: false, rolreplication: false, rolbypassrls: false },
    ]);
    const owned = await owner.query('SELECT 1 FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = $1', [
      APPLICATION_ROLE,
    ]);
    expect(owned.rowCount).toBe(0);
    const memberships = await owner.query('SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1', [
      APPLICATION_ROLE,
    ]);
    expect(memberships.rowCount).toBe(0);
  });

  it.each(['audit_entry', 'policy_revision'])('can add rows to %s and change or remove none of them', async (table) => {
    const before = await owner.query(`SELECT * FROM ${table}`);
    expect(before.rowCount).toBeGreaterThan(0);
    const column = table === 'audit_entry' ? 'actor' : 'source';
    for (const sql of [
      `UPDATE ${table} SET ${column} = 'x'`,
      `DELETE FROM ${table}`,
      `TRUNCATE ${table}`,
      `INSERT INTO ${table} SELECT * FROM ${table} ON CONFLICT DO NOTHING; UPDATE ${table} SET ${column} = 'x'`,
      `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
      `SELECT * FROM ${table} FOR UPDATE`,
    ])
      await expect(asApplication(sql), sql).rejects.toThrow(refused);
    expect((await owner.query(`SELECT * FROM ${table}`)).rows).toEqual(before.rows);
    // Not even the owner, but for changing the schema itself.
    for (const sql of [`UPDATE ${table} SET ${column} = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`])
      await expect(owner.query(sql), sql).rejects.toThrow(/immutable/);
  });

  it.each([
    'CREATE TABLE x (a int)',
    'CREATE TEMP TABLE x (a int)',
    'CREATE SCHEMA x',
    'CREATE TABLE bullmq.x (a int)',
    'CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE EXTENSION dblink',
    'CREATE ROLE x',
    'CREATE DATABASE x',
    'ALTER TABLE device ADD COLUMN x int',
    'ALTER TABLE device OWNER TO cordon_app',
    'DROP TABLE device',
    'DROP FUNCTION cordon_refuse_change() CASCADE',
    'CREATE OR REPLACE FUNCTION cordon_drop_partitions(keep integer) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$',
    'DROP TRIGGER audit_entry_immutable ON audit_entry',
    'CREATE INDEX x ON device (name)',
    'CREATE VIEW public.x AS SELECT 1',
    'GRANT ALL ON audit_entry TO cordon_app',
    'SET ROLE cordon_owner',
    'SET SESSION AUTHORIZATION postgres',
    'SET session_replication_role = replica',
    "COPY device TO PROGRAM 'cat'",
    "COPY device FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    'ALTER SYSTEM SET fsync = off',
    'SELECT * FROM _prisma_migrations',
    'UPDATE telemetry_event SET kind = $$x$$',
    'DELETE FROM telemetry_batch',
    'DELETE FROM device',
    'DELETE FROM api_token',
  ])('cannot: %s', async (sql) => {
    // A grant without the right to give it is a warning in PostgreSQL, not an error: what counts is that nothing was granted.
    if (sql.startsWith('GRANT')) {
      await asApplication(sql).catch((error: Error) => expect(error.message).toMatch(refused));
      await expect(asApplication("UPDATE audit_entry SET actor = 'x'")).rejects.toThrow(refused);
    } else await expect(asApplication(sql)).rejects.toThrow(refused);
  });

  it('may keep the partitions of telemetry through two functions, which drop no day younger than a week', async () => {
    const partitions = async (): Promise<number> =>
      Number(
        (await owner.query<{ n: string }>("SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'telemetry_event'::regclass")).rows[0]
          ?.n,
      );
    const before = await partitions();
    await asApplication('SELECT cordon_drop_partitions(0)');
    await asApplication('SELECT cordon_drop_partitions(-1000)');
    expect(await partitions()).toBe(before);
    await asApplication('SELECT cordon_ensure_partitions(100000)');
    expect(await partitions()).toBe(62);
  });
});
