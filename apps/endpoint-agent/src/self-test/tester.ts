/** Tests this device's containment whenever something new is in force and once a day, one test at a time, and keeps the last result. */
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';

export const SELF_TEST_MS = 24 * 3_600_000;

export interface TesterOptions {
  /** @returns undefined when nothing is in force that a canary could run under */
  readonly test: (state: VerifiedState) => Promise<SelfTest | undefined>;
  readonly state: () => VerifiedState | undefined;
  /** No test meanwhile: a failure would be nobody's fault. */
  readonly inMaintenance: () => boolean;
  readonly onResult: (result: SelfTest) => void;
  readonly log: (message: string) => void;
}

export interface Tester {
  soon(): void;
  last(): SelfTest | undefined;
  stop(): void;
}

const failures = ({ checks }: SelfTest): string =>
  checks
    .filter(({ passed }) => !passed)
    .map(({ name, detail }) => `${name} (${detail})`)
    .join(', ');

export const startTester = ({ test, state, inMaintenance, onResult, log }: TesterOptions): Tester => {
  let last: SelfTest | undefined;
  let turn = Promise.resolve();
  const once = async (): Promise<void> => {
    const current = state();
    if (current === undefined || inMaintenance()) return;
    const result = await test(current);
    if (result === undefined) return;
    last = result;
    if (!result.passed) log(`the self-test failed: ${failures(result)}`);
    onResult(result);
  };
  const soon = (): void => void (turn = turn.then(once).catch((error: unknown) => log(`the self-test could not run: ${String(error)}`)));
  const timer = setInterval(soon, SELF_TEST_MS);
  return { soon, last: () => last, stop: () => clearInterval(timer) };
};
