import { defineConfig } from 'prisma/config';

/** Only `generate` runs through the CLI; migrations are written by infra/migration.ts and applied by the service itself. */
export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } });
