import { beforeEach, describe, expect, it } from 'vitest';
import type { SelfTest } from '@cordon/policy/protocol/channel.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { createTester, PROBE_MS, SELF_TEST_MS, type Tester } from './tester.ts';
import type { Seen } from './watch.ts';

const digest = 'a'.repeat(64);
const state: Partial<VerifiedState> = { digest };

let at: number;
let seen: Seen;
let works: boolean;
let passes: boolean;
let canaries: number;
let results: SelfTest[];
let lines: string[];
let inForce: VerifiedState | undefined;
let maintenance: boolean;
let tester: Tester;

/** Everything that was begun has ended. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
};

beforeEach(() => {
  [at, works, passes, canaries, results, lines, maintenance] = [Date.parse('2026-03-01T12:00:00Z'), true, true, 0, [], [], false];
  seen = { fingerprint: 'one', problems: [] };
  inForce = state as VerifiedState;
  tester = createTester({
    test: async () => {
      canaries += 1;
      const check = { name: 'forbidden-read', passed: passes, detail: 'a file outside the grants' };
      return { at: new Date(at).toISOString(), digest, passed: passes, checks: [check] };
    },
    watch: { look: () => seen, probe: async () => works },
    state: () => inForce,
    inMaintenance: () => maintenance,
    onResult: (result) => results.push(result),
    now: () => new Date(at),
    log: (line) => lines.push(line),
  });
});

const look = async (later: number): Promise<void> => {
  at += later;
  tester.look();
  await settled();
};

describe('the tester', () => {
  it('tests when it is asked to, and once however often it is asked meanwhile', async () => {
    for (let i = 0; i < 100; i += 1) tester.soon();
    await settled();
    expect([canaries, results.length, tester.last()?.passed]).toEqual([1, 1, true]);
  });

  it('tests every day, and again when the clock is set back', async () => {
    tester.soon();
    await settled();
    await look(SELF_TEST_MS - 1);
    expect(canaries).toBe(1);
    await look(1);
    expect(canaries).toBe(2);
    await look(-SELF_TEST_MS);
    expect(canaries).toBe(3);
  });

  it('tests as soon as a look shows a change, and not while nothing changes', async () => {
    tester.soon();
    await settled();
    for (let i = 0; i < 100; i += 1) await look(1);
    expect(canaries).toBe(1);
    seen = { ...seen, fingerprint: 'two' };
    for (let i = 0; i < 100; i += 1) await look(1);
    expect(canaries).toBe(2);
  });

  it('needs no canary to know that something is missing, and tells it once', async () => {
    seen = { fingerprint: 'two', problems: ['/usr/bin/bwrap is not there any more'] };
    await look(1);
    for (let i = 0; i < 10; i += 1) await look(PROBE_MS);
    expect(canaries).toBe(0);
    expect(results).toMatchObject([{ passed: false, digest, checks: [{ name: 'helpers', detail: seen.problems[0] }] }]);
    expect(lines).toHaveLength(1);
    seen = { fingerprint: 'one', problems: [] };
    await look(1);
    expect(results.map(({ passed }) => passed)).toEqual([false, true]);
    expect(lines.at(-1)).toBe('the self-test passed again');
  });

  it('tries bubblewrap itself now and then, and tests when it does not work any more, or works again', async () => {
    tester.soon();
    await settled();
    [works, passes] = [false, false];
    await look(PROBE_MS - 1);
    expect(canaries).toBe(1);
    await look(1);
    expect(results.map(({ passed }) => passed)).toEqual([true, false]);
    [works, passes] = [true, true];
    await look(PROBE_MS);
    expect(results.map(({ passed }) => passed)).toEqual([true, false, true]);
  });

  it('tries what failed again until it is mended, even if nothing that it sees changes', async () => {
    passes = false;
    tester.soon();
    await settled();
    for (let i = 0; i < 5; i += 1) await look(PROBE_MS);
    expect([canaries, results.length]).toEqual([6, 1]);
    passes = true;
    await look(PROBE_MS);
    expect(results.map(({ passed }) => passed)).toEqual([false, true]);
  });

  it('tests at once when a launch broke, and not when a policy refused it', async () => {
    const refused = (code: string): void =>
      tester.heard({ kind: 'launch.refused', run: 'run_1', agent: 'codex', osUser: 'ada', program: 'x', code });
    for (const code of ['launch.no-policy', 'launch.denied', 'launch.workspace', 'launch.root', 'launch.need-unmet']) refused(code);
    await settled();
    expect(canaries).toBe(0);
    for (const code of ['launch.userns-denied', 'launch.gate-refused', 'launch.bridge', 'egress.open']) {
      refused(code);
      await settled();
    }
    expect(canaries).toBe(4);
  });

  it('tests nothing while nothing is in force, or during maintenance', async () => {
    inForce = undefined;
    tester.soon();
    await settled();
    [inForce, maintenance] = [state as VerifiedState, true];
    tester.soon();
    await settled();
    expect([canaries, results, tester.last()]).toEqual([0, [], undefined]);
  });
});
