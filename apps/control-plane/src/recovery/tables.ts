/** The database as a logical copy: which tables there are, in which order they can be filled, and their rows by COPY. */
import type { Readable, Writable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { CordonError } from '@cordon/policy/errors.ts';
import type { BackupContent } from './manifest.ts';

/** Kept by the engine that applies migrations; a restore applies them itself. */
const MIGRATIONS = '_prisma_migrations';

export interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Each after those that its rows refer to. @throws CordonError `backup.cycle` */
export const inOrder = (tables: readonly TableShape[], refers: ReadonlyMap<string, ReadonlySet<string>>): TableShape[] => {
  const done = new Set<string>();
  const ordered: TableShape[] = [];
  for (let rest = tables; rest.length > 0;) {
    const next = rest.filter(({ name }) => [...(refers.get(name) ?? [])].every((other) => other === name || done.has(other)));
    if (next.length === 0)
      throw new CordonError('backup.cycle', `tables refer to each other in a circle: ${rest.map(({ name }) => name).join(', ')}`);
    for (const table of next) {
      done.add(table.name);
      ordered.push(table);
    }
    rest = rest.filter(({ name }) => !done.has(name));
  }
  return ordered;
};

/** Ordinary and partitioned tables of the service, without the partitions themselves and without the job queues, which fill themselves. */
export const readTables = async (client: pg.ClientBase): Promise<TableShape[]> => {
  const tables = await client.query<TableShape>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> $1
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' GROUP BY c.relname ORDER BY c.relname`,
    [MIGRATIONS],
  );
  const keys = await client.query<{ table: string; other: string }>(
    `SELECT c.relname AS "table", f.relname AS other FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
     WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`,
  );
  const refers = new Map<string, Set<string>>();
  for (const { table, other } of keys.rows) refers.set(table, (refers.get(table) ?? new Set()).add(other));
  return inOrder(tables.rows, refers);
};

export const readPartitions = async (client: pg.ClientBase): Promise<BackupContent['partitions']> => {
  const { rows } = await client.query<{ table: string; day: string }>(
    `SELECT p.relname AS "table", right(c.relname, 8) AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, 2`,
  );
  return rows;
};

/** Names of the migrations that made the database what it is, oldest first; none in a database that is empty. */
export const readMigrations = async (client: pg.ClientBase): Promise<string[]> => {
  const known = await client.query<{ there: boolean }>(`SELECT to_regclass('public.${MIGRATIONS}') IS NOT NULL AS there`);
  if (known.rows[0]?.there !== true) return [];
  const { rows } = await client.query<{ name: string }>(
    `SELECT migration_name AS name FROM ${MIGRATIONS} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
  );
  return rows.map(({ name }) => name);
};

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** The rows of one table, in PostgreSQL's own text format. A partitioned table as one. */
export const copyOut = (client: pg.ClientBase, { name, columns }: TableShape): Readable & { readonly rowCount: number } =>
  client.query(copyTo(`COPY (SELECT ${quoted(columns)} FROM "${name}") TO STDOUT`));

export const copyIn = (client: pg.ClientBase, { name, columns }: TableShape): Writable & { readonly rowCount: number } =>
  client.query(copyFrom(`COPY "${name}" (${quoted(columns)}) FROM STDIN`));

/** Days of telemetry that lie too far back to be made at a start. */
export const makePartitions = async (client: pg.ClientBase, partitions: BackupContent['partitions']): Promise<void> => {
  for (const { table, day } of partitions) {
    const from = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
    await client.query(
      `CREATE TABLE IF NOT EXISTS public."${table}_${day}" PARTITION OF public."${table}"
       FOR VALUES FROM ('${from} 00:00:00+00') TO ('${new Date(Date.parse(from) + 86_400_000).toISOString().slice(0, 10)} 00:00:00+00')`,
    );
  }
};

/** Sequences go on after the highest number that was used. */
export const advanceSequences = async (client: pg.ClientBase): Promise<void> => {
  const { rows } = await client.query<{ table: string; column: string; sequence: string }>(
    `SELECT table_name AS "table", column_name AS "column", pg_get_serial_sequence(format('public.%I', table_name), column_name) AS sequence
     FROM information_schema.columns WHERE table_schema = 'public' AND column_default LIKE 'nextval(%'`,
  );
  for (const { table, column, sequence } of rows)
    await client.query(`SELECT setval($1::regclass, greatest((SELECT max("${column}") FROM public."${table}"), 1))`, [sequence]);
};
