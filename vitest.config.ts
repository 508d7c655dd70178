import { defineConfig } from 'vitest/config';

/** The suite of `npm test`: units and laws beside the files, stories against the real app. */
export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'apps/*/tests/**/*.test.ts',
      'tests/*.test.ts',
      'bench/*.test.ts',
      'architecture.test.ts',
    ],
    globalSetup: ['infra/vitest-database.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
