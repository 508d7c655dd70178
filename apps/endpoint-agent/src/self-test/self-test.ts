/** The self-test of a daemon: a canary through its own launcher, and a watch over what that stands on. */
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { freshFolder, type Launching } from '../launching.ts';
import type { Account } from '../local-api/accounts.ts';
import { failedLaunch, runCanary } from './canary.ts';
import { createTester, type Tester, type TesterOptions } from './tester.ts';
import { createWatch } from './watch.ts';

export interface SelfTestOptions extends Omit<TesterOptions, 'test' | 'watch'> {
  readonly launching: Pick<Launching, 'launcher' | 'egress' | 'helpers' | 'host'>;
  readonly runtimeDir: string;
  /** Whose authority the canary has; undefined where this machine has no ordinary account for it. */
  readonly account: Account | undefined;
}

export const startSelfTest = ({ launching, runtimeDir, account, ...options }: SelfTestOptions): Tester => {
  const { launcher, egress, helpers, host } = launching;
  const { now } = options;
  const folder = freshFolder(runtimeDir, 'canary', 0o755);
  const test = async (state: VerifiedState): Promise<SelfTest> =>
    account === undefined
      ? {
          at: now().toISOString(),
          digest: state.digest,
          passed: false,
          checks: [failedLaunch('this machine has no account nobody, as which a test could run')],
        }
      : runCanary({ launcher, state, account, folder, host, now });
  const watch = createWatch({ helpers, egress, account: account ?? { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' } });
  return createTester({ ...options, test, watch });
};
