/**
 * Tests this device's containment whenever something new is in force, once a day, and as soon as something that it stands on changed or broke; one test at a time. What
 * failed is tried again until it is mended. The last result is kept.
 */
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Watch } from './watch.ts';

export const SELF_TEST_MS = 24 * 3_600_000;
/** With the few seconds between two looks, and the longest that a canary takes, less than a minute. */
export const PROBE_MS = 30_000;

/** A launch that fails so failed for want of something on this machine, not by policy. */
const BROKEN = new Set([
  'launch.setup-failed',
  'launch.userns-denied',
  'launch.bubblewrap-missing',
  'launch.bubblewrap-old',
  'launch.wrapper-refused',
  'launch.gate-refused',
  'launch.bridge',
  'launch.executor-missing',
  'launch.pipes',
  'launch.limits',
  'launch.failed',
  'egress.open',
  'egress.start',
]);

export interface TesterOptions {
  /** A canary run. */
  readonly test: (state: VerifiedState) => Promise<SelfTest>;
  readonly watch: Watch;
  readonly state: () => VerifiedState | undefined;
  /** No test meanwhile: a failure would be nobody's fault. */
  readonly inMaintenance: () => boolean;
  /** It is not the failure that was known already. */
  readonly onResult: (result: SelfTest) => void;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

export interface Tester {
  /** A test, unless one waits to begin already. */
  soon(): void;
  /** Every few seconds. */
  look(): void;
  /** What is reported of runs: a launch that broke is a reason to test. */
  heard(event: NewEvent): void;
  last(): SelfTest | undefined;
}

const failed = ({ checks }: SelfTest): string[] => checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name} (${detail})`);
const gist = (result: SelfTest | undefined): string =>
  result === undefined ? '' : JSON.stringify([result.digest, result.passed, failed(result)]);

export const createTester = ({ test, watch, state, inMaintenance, onResult, now, log }: TesterOptions): Tester => {
  let last: SelfTest | undefined;
  let turn = Promise.resolve();
  let waits = false;
  let fingerprint = watch.look().fingerprint;
  let testedAt = 0;
  let probedAt = now().getTime();
  let probed: boolean | undefined;
  const once = async (): Promise<void> => {
    waits = false;
    const current = state();
    if (current === undefined || inMaintenance()) return;
    testedAt = now().getTime();
    const seen = watch.look();
    ({ fingerprint } = seen);
    const known = { at: now().toISOString(), digest: current.digest, passed: false };
    const checks = seen.problems.slice(0, 32).map((detail) => ({ name: 'helpers', passed: false, detail: detail.slice(0, 256) }));
    const result = checks.length > 0 ? { ...known, checks } : await test(current);
    // What failed is tried again and again, and told once.
    const isNews = result.passed || gist(result) !== gist(last);
    const isMended = result.passed && last?.passed === false;
    last = result;
    if (!isNews) return;
    if (!result.passed) log(`the self-test failed, so nothing here counts as enforced: ${failed(result).join(', ')}`);
    if (isMended) log('the self-test passed again');
    onResult(result);
  };
  const soon = (): void => {
    if (waits) return;
    waits = true;
    turn = turn.then(once).catch((error: unknown) => log(`the self-test could not run: ${String(error)}`));
  };
  const probe = async (): Promise<void> => {
    const before = probed;
    probed = await watch.probe();
    // What was right and is wrong, or the other way round.
    if (probed !== (before ?? true) || last?.passed === false) soon();
  };
  return {
    soon,
    look: () => {
      const at = now().getTime();
      if (watch.look().fingerprint !== fingerprint || at - testedAt >= SELF_TEST_MS || at < testedAt) return soon();
      if (at - probedAt < PROBE_MS && at >= probedAt) return;
      probedAt = at;
      probe().catch((error: unknown) => log(`bubblewrap could not be tried: ${String(error)}`));
    },
    heard: (event) => {
      if (event.kind === 'launch.refused' && BROKEN.has(event.code)) soon();
    },
    last: () => last,
  };
};
