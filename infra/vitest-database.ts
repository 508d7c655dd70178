/** One embedded PostgreSQL for the whole test run, in a folder of its own; every test file makes its own database in it. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import type { DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { startEmbedded } from '../apps/control-plane/src/db/embedded.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser access, and access of the role that owns the tests' databases. */
    database: { readonly superuser: DatabaseAccess; readonly owner: DatabaseAccess };
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const stateDir = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-test-'));
  fs.chmodSync(stateDir, 0o711);
  const database = await startEmbedded({
    stateDir,
    port: undefined,
    secret: randomBytes(32).toString('base64url'),
    say: () => undefined,
    durable: false,
  });
  project.provide('database', { superuser: database.superuser, owner: database.owner });
  return async () => {
    await database.close();
    fs.rmSync(stateDir, { recursive: true, force: true });
  };
};
