/** The application role and exactly what it may do. Run as the owner at every start: rights follow this file, not history. */
import { createHmac } from 'node:crypto';
import pg from 'pg';
import { runMigrations } from 'bullmq';
import { createClient, poolConfig, type DatabaseAccess } from './client.ts';

export const APPLICATION_ROLE = 'cordon_app';
/** Where the job queues keep their tables. */
export const JOBS_SCHEMA = 'bullmq';

/** Rows that may be added and read, never changed or removed; triggers refuse it to everyone else as well. */
const APPEND_ONLY = ['audit_entry', 'policy_revision', 'proposal_signature', 'former_key', 'history_finding'];
const NO_DELETE = [
  'organisation',
  'api_token',
  'enrollment_token',
  'device',
  'device_join',
  'device_integrity',
  'device_order',
  'device_status',
  'exception_request',
  'policy',
  'change_set',
  'exception_grant',
  'proposal',
  'cohort',
  'telemetry_cursor',
];
const FULL = [
  'device_group',
  'group_member',
  'assignment',
  'bundle',
  'checkpoint',
  'device_inventory',
  'inventory_agent',
  'inventory_server',
  'inventory_sighting',
];
const TELEMETRY = ['telemetry_batch', 'telemetry_event'];
/** Added and read; they go with their checkpoint. */
const ADDED = ['cosignature'];
/** Added and read, and what became of them is written beside; the owner's function takes away what is old. */
const REPORTS = ['device_head', 'report_finding'];

/** Every replica derives the same password from the owner's, so none has to be stored or shared. */
const applicationPassword = (owner: DatabaseAccess): string =>
  createHmac('sha256', owner.password).update(APPLICATION_ROLE).digest('base64url');

const ensureRole = (password: string): string => `
DO $$ BEGIN
  CREATE ROLE ${APPLICATION_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION PASSWORD '${password}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;`;

const grantsIn = (database: string): string => `
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${APPLICATION_ROLE};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE TEMPORARY ON DATABASE ${pg.escapeIdentifier(database)} FROM PUBLIC;
GRANT USAGE ON SCHEMA public, ${JOBS_SCHEMA} TO ${APPLICATION_ROLE};
GRANT SELECT, INSERT ON ${APPEND_ONLY.join(', ')} TO ${APPLICATION_ROLE};
GRANT SELECT, INSERT, UPDATE ON ${NO_DELETE.join(', ')} TO ${APPLICATION_ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON ${FULL.join(', ')} TO ${APPLICATION_ROLE};
GRANT SELECT, INSERT ON ${[...TELEMETRY, ...ADDED, ...REPORTS].join(', ')} TO ${APPLICATION_ROLE};
GRANT UPDATE (state, reason, verified_at) ON device_head TO ${APPLICATION_ROLE};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${APPLICATION_ROLE};
GRANT EXECUTE ON FUNCTION cordon_ensure_partitions(integer), cordon_drop_partitions(integer), cordon_prune_reports(integer) TO ${APPLICATION_ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA ${JOBS_SCHEMA} TO ${APPLICATION_ROLE};
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA ${JOBS_SCHEMA} TO ${APPLICATION_ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${JOBS_SCHEMA} TO ${APPLICATION_ROLE};`;

const canLogIn = async (access: DatabaseAccess): Promise<boolean> => {
  const client = createClient(poolConfig(access, 1));
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '28P01') return false;
    throw error;
  } finally {
    await client.end();
  }
};

/**
 * Makes the role, its rights, the queues' schema and the telemetry partitions of the coming days.
 * @returns how the application connects
 */
export const prepareRoles = async (owner: DatabaseAccess): Promise<DatabaseAccess> => {
  const access: DatabaseAccess = { ...owner, user: APPLICATION_ROLE, password: applicationPassword(owner) };
  const client = createClient(poolConfig(owner, 1));
  await client.connect();
  try {
    // Replicas that start together change the same catalogue rows: one after the other.
    await client.query('SELECT pg_advisory_lock(1129272402, 2)');
    await runMigrations(client, JOBS_SCHEMA);
    await client.query(ensureRole(access.password));
    await client.query(`BEGIN; ${grantsIn(owner.database)} COMMIT;`);
    await client.query('SELECT cordon_ensure_partitions()');
    if (!(await canLogIn(access))) await client.query(`ALTER ROLE ${APPLICATION_ROLE} PASSWORD '${access.password}'`);
  } finally {
    await client.end();
  }
  return access;
};
