import { defineConfig } from 'vitest/config';

/** `npm run test:agents`: real AI agents from the package registry, driven by a scripted model server. */
export default defineConfig({
  test: { include: ['tests/agents/*.test.ts'], testTimeout: 300_000, hookTimeout: 600_000 },
});
