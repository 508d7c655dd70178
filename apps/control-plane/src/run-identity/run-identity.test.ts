import { describe, expect, it } from 'vitest';
import { codeOf } from '@cordon/policy/trust/_refusal.ts';
import type { RunStatement } from '@cordon/policy/trust/run-statement.ts';
import { isRunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import type { ComplianceState } from '../compliance/compliance.ts';
import type { Standing } from '../compliance/now.ts';
import type { RunRecord } from '../telemetry/runs.ts';
import { claimsFor, isStillGood, requireCompliant, requireCurrent, requireLive } from './run-identity.ts';

const idOf = (name: string): string => `run_${name.padStart(16, '0')}`;
const [TOP, MIDDLE, RUN] = [idOf('1'), idOf('2'), idOf('3')];
const recordOf = (run: string, parent: string | null, change: Partial<RunRecord> = {}): RunRecord => ({
  run,
  boot: 'boot_1',
  agent: 'codex',
  parent,
  ended: false,
  ...change,
});
const recordsOf = (...records: readonly RunRecord[]): ReadonlyMap<string, RunRecord> => new Map(records.map((one) => [one.run, one]));
const LINE = [recordOf(RUN, MIDDLE), recordOf(MIDDLE, TOP), recordOf(TOP, null)];
const STATEMENT: RunStatement = {
  format: 'cordon-run/1',
  org: 'org_a',
  device: 'dev_0000000000000001',
  boot: 'boot_1',
  nonce: 'n'.repeat(22),
  number: 1,
  at: '2026-03-01T12:00:00.000Z',
  run: RUN,
  parents: [MIDDLE, TOP],
  user: { name: 'ada', kind: 'directory' },
  agent: { id: 'codex', proof: 'proven' },
  bundle: 'b'.repeat(64),
  audience: 'https://api.example.com',
  delivery: 'proxy',
};
const STANDING: Standing = { state: 'Compliant', reasons: [], cohort: 'coh_1', bundle: 'b'.repeat(64), assurance: 'user' };

describe('a run lives', () => {
  const code = (records: ReadonlyMap<string, RunRecord>, change: Partial<RunStatement> = {}): Promise<string> =>
    codeOf(() => requireLive({ ...STATEMENT, ...change }, records));
  const instead = (i: number, change: Partial<RunRecord>): ReadonlyMap<string, RunRecord> =>
    recordsOf(...LINE.map((record, place) => (place === i ? { ...record, ...change } : record)));

  it('when it and all that it is inside were reported to have begun, as it says', async () => {
    expect(await code(recordsOf(...LINE))).toBe('accepted');
    expect(await code(recordsOf(recordOf(TOP, null)), { run: TOP, parents: [] })).toBe('accepted');
  });

  it('not when any of them was not reported, has ended, or is of another daemon', async () => {
    for (const i of [0, 1, 2]) {
      expect(await code(recordsOf(...LINE.filter((_, place) => place !== i)))).toBe('identity.run-unknown');
      expect(await code(instead(i, { ended: true }))).toBe('identity.run-ended');
      expect(await code(instead(i, { boot: 'boot_0' }))).toBe('identity.run-ended');
    }
  });

  it('in a chain of reports that goes on under the same daemon with the next name', async () => {
    expect(await code(instead(0, { boot: 'boot_1-1' }))).toBe('accepted');
    expect(await code(instead(0, { boot: 'boot_1-x' }))).toBe('identity.run-ended');
  });

  it('not when it leaves out or makes up what it is inside', async () => {
    const records = recordsOf(...LINE);
    for (const parents of [[], [MIDDLE], [TOP], [TOP, MIDDLE], [MIDDLE, TOP, RUN]])
      expect(await code(records, { parents })).toBe('identity.run-other');
  });
});

describe('a device', () => {
  it.each<readonly [state: ComplianceState, retryable: boolean]>([
    ['NotApplicable', false],
    ['InGrace', true],
    ['Stale', false],
    ['Unknown', false],
    ['NonCompliant', false],
    ['Error', false],
  ])('that is %s gets no token for its runs', async (state, retryable) => {
    const attempt = (): unknown => requireCompliant({ ...STANDING, state });
    expect(await codeOf(attempt)).toBe('identity.not-compliant');
    expect(attempt).toThrow(expect.objectContaining({ retryable }));
  });

  it('is verified as far as it is known', async () => {
    expect(requireCompliant(STANDING)).toEqual({ cohort: 'coh_1', bundle: 'b'.repeat(64), assurance: 'user' });
    expect(await codeOf(() => requireCompliant(undefined))).toBe('identity.device-unknown');
    for (const missing of ['cohort', 'bundle', 'assurance'])
      expect(await codeOf(() => requireCompliant({ ...STANDING, [missing]: null }))).toBe('identity.not-compliant');
  });
});

describe('a token', () => {
  const verified = requireCompliant(STANDING);
  const issue = {
    issuer: 'https://cordon.example',
    organisation: 'org_a',
    epoch: 2,
    now: new Date('2026-03-01T12:00:00.900Z'),
    id: 'j'.repeat(22),
  };

  it('keeps apart what was verified and what was said', () => {
    const claims = claimsFor(STATEMENT, verified, issue);
    expect(isRunTokenClaims(claims)).toBe(true);
    expect(claims.verified).toEqual({
      organisation: 'org_a',
      epoch: 2,
      device: STATEMENT.device,
      cohort: 'coh_1',
      compliance: 'Compliant',
      assurance: 'user',
      bundle: 'b'.repeat(64),
    });
    const { run, parents, user, agent, delivery } = STATEMENT;
    expect(claims.asserted).toEqual({ run, parents, user, agent, delivery });
    expect([claims.iat, claims.exp - claims.iat]).toEqual([Date.parse('2026-03-01T12:00:00.000Z') / 1000, 300]);
  });

  it('is of the agent that was reported, and of the policy that the device should have', async () => {
    expect(await codeOf(() => requireCurrent(STATEMENT, LINE[0], verified))).toBe('accepted');
    expect(await codeOf(() => requireCurrent(STATEMENT, undefined, verified))).toBe('identity.run-other');
    expect(await codeOf(() => requireCurrent(STATEMENT, recordOf(RUN, MIDDLE, { agent: 'claude-code' }), verified))).toBe(
      'identity.run-other',
    );
    expect(await codeOf(() => requireCurrent({ ...STATEMENT, bundle: 'a'.repeat(64) }, LINE[0], verified))).toBe('identity.not-current');
  });

  it('counts as long as all that it rests on does', () => {
    const claims = claimsFor(STATEMENT, verified, issue);
    const good = (records = recordsOf(...LINE), standing: Standing | undefined = STANDING, epoch = 2): boolean =>
      isStillGood(claims, records, standing, epoch);
    expect(good()).toBe(true);
    for (const i of [0, 1, 2]) {
      expect(good(recordsOf(...LINE.map((record, place) => ({ ...record, ended: place === i }))))).toBe(false);
      expect(good(recordsOf(...LINE.filter((_, place) => place !== i)))).toBe(false);
    }
    expect(good(undefined, { ...STANDING, state: 'InGrace' })).toBe(false);
    expect(good(undefined, { ...STANDING, cohort: 'coh_2' })).toBe(false);
    expect(good(undefined, undefined, 3)).toBe(false);
    expect(isStillGood(claims, recordsOf(...LINE), undefined, 2)).toBe(false);
  });
});
