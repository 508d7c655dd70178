import { defineConfig } from 'vitest/config';

/** `npm run test:stories`: whole installations at work: commands, services and daemons as processes of their own, from a ceremony of keys to a recovery. */
export default defineConfig({
  test: {
    include: ['tests/*.test.ts'],
    globalSetup: ['infra/vitest-database.ts'],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
