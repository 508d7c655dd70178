import { defineConfig } from 'vitest/config';

/** The suite of `npm test`: units and laws beside the files, stories against the real app. */
export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'apps/*/tests/**/*.test.ts',
      'bench/*.test.ts',
      'architecture.test.ts',
    ],
    globalSetup: ['infra/vitest-database.ts'],
    // Stories wait for each other's processes more than they work: one worker for each of two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
