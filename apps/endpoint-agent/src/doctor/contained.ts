/** The whole of it, tried: a canary run through the same code as the daemon's own, in folders of its own. */
import fs from 'node:fs';
import path from 'node:path';
import { openLaunching } from '../launching.ts';
import { closeInherited } from '../launch/descriptors.ts';
import type { Account } from '../local-api/accounts.ts';
import { runCanary } from '../self-test/canary.ts';
import { freshFolder } from '../launching.ts';
import { failed, ok, type Check } from './check.ts';

export interface ContainedOptions {
  /** Who runs it: never root. */
  readonly account: Account | undefined;
  readonly now: () => Date;
}

/** Short: sockets lie in it. */
const BASE = '/tmp/cordon-doctor-';

export const containedCheck = async ({ account, now }: ContainedOptions): Promise<Check> => {
  if (account === undefined) return failed('containment', 'there is no ordinary account to try it as', 'ask as an ordinary account');
  closeInherited();
  const runtimeDir = fs.mkdtempSync(BASE);
  fs.chmodSync(runtimeDir, 0o755);
  try {
    const stateDir = freshFolder(runtimeDir, 'state', 0o700);
    const launching = await openLaunching({ runtimeDir, stateDir, hostsFile: undefined, onDecision: () => undefined });
    try {
      const { launcher, host } = launching;
      const folder = freshFolder(runtimeDir, 'canary', 0o755);
      const { passed, checks } = await runCanary({ launcher, host, account, folder, state: undefined, now });
      const wrong = checks.filter((check) => !check.passed).map(({ name, detail }) => `${name}: ${detail}`);
      return passed
        ? ok('containment', `a trial run was contained: ${checks.map(({ name }) => name).join(', ')}`)
        : failed('containment', wrong.join('; '), 'mend what failed above; if nothing did, tell your administrator');
    } finally {
      await launching.stop();
    }
  } finally {
    fs.rmSync(path.resolve(runtimeDir), { recursive: true, force: true });
  }
};
