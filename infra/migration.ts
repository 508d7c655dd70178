/**
 * Writes Prisma migrations and finds drift with no database server: the wasm schema engine compares prisma/migrations, applied to an in-process
 * PostgreSQL, with prisma/schema.prisma. `infra/migration.ts` ends with status 2 when they differ; `infra/migration.ts NAME` writes what is missing
 * as prisma/migrations/<time>_NAME/migration.sql, to be read and completed by hand (partitions, triggers, functions).
 */
import fs from 'node:fs';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { SchemaEngine } from '@prisma/schema-engine-wasm';
import { PrismaPGlite } from 'pglite-prisma-adapter';

const root = path.join(import.meta.dirname, '../prisma');
const folder = path.join(root, 'migrations');
const files = [{ path: 'schema.prisma', content: fs.readFileSync(path.join(root, 'schema.prisma'), 'utf8') }];
const migrations = fs
  .readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()
  .map((name) => ({
    path: name,
    migrationFile: {
      path: 'migration.sql',
      content: { tag: 'ok' as const, value: fs.readFileSync(path.join(folder, name, 'migration.sql'), 'utf8') },
    },
  }));

const engine = await SchemaEngine.new(
  { datamodels: files.map((file): [string, string] => [file.path, file.content]) },
  () => undefined,
  bindMigrationAwareSqlAdapterFactory(new PrismaPGlite(new PGlite())),
);
const difference = await engine.diff({
  from: {
    tag: 'migrations',
    baseDir: folder,
    shadowDbInitScript: '',
    lockfile: { path: 'migration_lock.toml', content: fs.readFileSync(path.join(folder, 'migration_lock.toml'), 'utf8') },
    migrationDirectories: migrations,
  },
  to: { tag: 'schemaDatamodel', files },
  script: true,
  exitCode: true,
  filters: { externalTables: [], externalEnums: [] },
});

const name = process.argv[2];
if (difference.exitCode !== 2) {
  console.log('schema and migrations agree');
} else if (name === undefined) {
  console.log(difference.stdout ?? '');
  process.exitCode = 2;
} else {
  const place = path.join(folder, `${new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)}_${name}`);
  fs.mkdirSync(place);
  fs.writeFileSync(path.join(place, 'migration.sql'), difference.stdout ?? '');
  console.log(`wrote ${place}`);
}
