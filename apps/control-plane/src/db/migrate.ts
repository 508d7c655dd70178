/** Applies prisma/migrations at start with Prisma's own engine (WebAssembly, no native code), as the owner and under its advisory lock. */
import fs from 'node:fs';
import path from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { CordonError } from '@cordon/policy/errors.ts';
import { poolConfig, type DatabaseAccess } from './client.ts';

const prismaFolder = path.join(import.meta.dirname, '../../../../prisma');

/**
 * The adapter cuts a script at every `;` and runs the pieces on pool connections: function bodies break and a failing file stays half applied.
 * One simple query on the only connection keeps bodies whole and makes each file atomic. Access comes in separate fields, never as a URL,
 * because the driver would let the URL's database win over the one asked for.
 */
class WholeScripts extends PrismaPg {
  readonly #adapters: Awaited<ReturnType<PrismaPg['connect']>>[] = [];

  /** The engine leaves its connection open, and with it the advisory lock: others that start would wait until it idles out. */
  async dispose(): Promise<void> {
    for (const adapter of this.#adapters) await adapter.dispose();
  }

  override async connect(): Promise<Awaited<ReturnType<PrismaPg['connect']>>> {
    const adapter = await super.connect();
    this.#adapters.push(adapter);
    const pool = adapter.underlyingDriver();
    adapter.executeScript = async (script) => {
      await pool.query(script);
    };
    return adapter;
  }
}

const migrationDirectories = (folder: string): { path: string; migrationFile: { path: string; content: { tag: 'ok'; value: string } } }[] =>
  fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: fs.readFileSync(path.join(folder, name, 'migration.sql'), 'utf8') },
      },
    }));

/** Names of the migrations of this version, oldest first. */
export const knownMigrations = (): string[] => migrationDirectories(path.join(prismaFolder, 'migrations')).map(({ path: name }) => name);

/**
 * Several replicas may start at once: one applies, the others wait and find nothing to do.
 * @param only names of those that are wanted: a restore gives a database the shape that it had
 * @returns names of the migrations that this call applied
 * @throws CordonError db.migrate-failed
 */
export const applyMigrations = async (owner: DatabaseAccess, only?: ReadonlySet<string>): Promise<readonly string[]> => {
  const folder = path.join(prismaFolder, 'migrations');
  const { SchemaEngine } = await import('@prisma/schema-engine-wasm');
  const scripts = new WholeScripts(poolConfig(owner, 1));
  const engine = await SchemaEngine.new(
    { datamodels: [['schema.prisma', fs.readFileSync(path.join(prismaFolder, 'schema.prisma'), 'utf8')]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(scripts),
  );
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: {
        baseDir: folder,
        shadowDbInitScript: '',
        lockfile: { path: 'migration_lock.toml', content: fs.readFileSync(path.join(folder, 'migration_lock.toml'), 'utf8') },
        migrationDirectories: migrationDirectories(folder).filter(({ path: name }) => only?.has(name) ?? true),
      },
      filters: { externalTables: [], externalEnums: [] },
    });
    return appliedMigrationNames;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CordonError('db.migrate-failed', `the database could not be brought to this version's shape: ${reason}`, { cause: error });
  } finally {
    engine.free();
    await scripts.dispose();
  }
};
