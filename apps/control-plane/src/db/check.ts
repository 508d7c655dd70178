/** Whether a database can carry a control plane, asked before anything is changed in it: each answer says what to do. */
import { CordonError } from '@cordon/policy/errors.ts';
import pg from 'pg';
import { createClient, poolConfig, type DatabaseAccess } from './client.ts';

const OLDEST = 150_000;

const refuse = (code: string, message: string, cause?: unknown): never => {
  throw new CordonError(code, message, { place: 'DATABASE_URL', retryable: code === 'db.unreachable', cause });
};

const connect = async (client: pg.Client, { host, port, user, database }: DatabaseAccess): Promise<void> => {
  try {
    await client.connect();
  } catch (cause) {
    const code = cause instanceof pg.DatabaseError ? cause.code : undefined;
    if (code === '28P01' || code === '28000')
      refuse(
        'db.credentials',
        `the database at ${host}:${port} does not accept user "${user}" with this password: mend DATABASE_URL`,
        cause,
      );
    if (code === '3D000')
      refuse(
        'db.missing',
        `there is no database "${database}" at ${host}:${port}: create it with "${user}" as its owner, or mend DATABASE_URL`,
        cause,
      );
    refuse('db.unreachable', `no database answers at ${host}:${port} (${(cause as Error).message}): start it, or mend DATABASE_URL`, cause);
  }
};

/** @param owner as whom migrations are applied. @throws CordonError db.unreachable, db.credentials, db.missing, db.version, db.rights */
export const checkDatabase = async (owner: DatabaseAccess): Promise<void> => {
  const client = createClient(poolConfig(owner, 1));
  await connect(client, owner);
  try {
    const { rows } = await client.query<{ version: number; roles: boolean; schema: boolean }>(
      `SELECT current_setting('server_version_num')::int AS version, rolcreaterole OR rolsuper AS roles,
         has_schema_privilege('public', 'CREATE') AND has_database_privilege(current_database(), 'CREATE') AS schema
       FROM pg_roles WHERE rolname = current_user`,
    );
    const { version = 0, roles = false, schema = false } = rows[0] ?? {};
    if (version < OLDEST) refuse('db.version', `the database is PostgreSQL ${Math.floor(version / 10_000)}; Cordon needs 15 or newer`);
    if (!roles) refuse('db.rights', `the database user "${owner.user}" may not create roles: ALTER ROLE "${owner.user}" CREATEROLE`);
    if (!schema)
      refuse('db.rights', `the database user "${owner.user}" may not create schemas and tables: make it the owner of "${owner.database}"`);
  } finally {
    await client.end();
  }
};
