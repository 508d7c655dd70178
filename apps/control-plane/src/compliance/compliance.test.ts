import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FINDINGS } from '../tampering/tampering.ts';
import { GRACE_MS, judge, STALE_MS, STATES, type ComplianceFacts } from './compliance.ts';

const NOW = new Date('2026-11-24T12:00:00.000Z');
const before = (ms: number): Date => new Date(NOW.getTime() - ms);
const digest = fc.constantFrom('a'.repeat(64), 'b'.repeat(64));
const time = fc.integer({ min: -1000, max: 3 * STALE_MS }).map(before);

const facts: fc.Arbitrary<ComplianceFacts> = fc.record({
  revoked: fc.boolean(),
  pending: fc.boolean(),
  quarantined: fc.boolean(),
  finding: fc.constantFrom('restore', 'clone', null),
  tampering: fc.option(fc.record({ code: fc.constantFrom(...FINDINGS), detail: fc.constant('an older copy was put back') })),
  enrolledAt: time,
  lastSeenAt: fc.option(time),
  assurance: fc.constantFrom('system', 'user', null),
  desired: fc.option(fc.record({ digest, since: time, empty: fc.boolean() })),
  reported: fc.option(
    fc.record({
      digest,
      phase: fc.constantFrom('enforced', 'failed'),
      code: fc.option(fc.constantFrom('bundle.schema', 'state.not-persisted')),
      at: time,
    }),
  ),
  selfTest: fc.option(fc.record({ passed: fc.boolean(), digest })),
});
const law = (name: string, holds: (facts: ComplianceFacts) => void): void =>
  it(name, () => fc.assert(fc.property(facts, holds), { numRuns: LAW_RUNS }));

/** Reported, up to date, seen, tested: nothing to complain of. */
const good: ComplianceFacts = {
  revoked: false,
  pending: false,
  quarantined: false,
  finding: null,
  tampering: null,
  enrolledAt: before(7 * STALE_MS),
  lastSeenAt: before(1000),
  assurance: 'system',
  desired: { digest: 'a'.repeat(64), since: before(10 * GRACE_MS), empty: false },
  reported: { digest: 'a'.repeat(64), phase: 'enforced', code: null, at: before(5000) },
  selfTest: { passed: true, digest: 'a'.repeat(64) },
};
const outcome = (change: Partial<ComplianceFacts>): [string, string[]] => {
  const { state, reasons } = judge({ ...good, ...change }, NOW);
  return [state, reasons.map(({ code }) => code)];
};

describe('laws', () => {
  law('the worst of all reasons is the state', (one) => {
    const { state, reasons } = judge(one, NOW);
    const ranks = reasons.map((reason) => STATES.indexOf(reason.state));
    expect(STATES.indexOf(state)).toBe(Math.max(...ranks, one.revoked || one.pending ? 0 : STATES.indexOf('Compliant')));
  });
  law('whoever never reported is never compliant', (one) => {
    if (one.revoked || one.pending) return;
    const { state, reasons } = judge({ ...one, reported: null }, NOW);
    expect(STATES.indexOf(state)).toBeGreaterThanOrEqual(STATES.indexOf('Unknown'));
    expect(reasons.map(({ code }) => code)).toContain('compliance.never-reported');
  });
  law('whoever has nothing assigned, or another bundle than it should have beyond grace, is never compliant', (one) => {
    const { desired, reported, revoked, pending, enrolledAt } = one;
    if (revoked || pending || desired === null || reported === null) return;
    const late = NOW.getTime() - Math.max(desired.since.getTime(), enrolledAt.getTime()) > GRACE_MS;
    if (desired.empty || (reported.digest !== desired.digest && late))
      expect(STATES.indexOf(judge(one, NOW).state)).toBeGreaterThanOrEqual(STATES.indexOf('NonCompliant'));
  });
  law('a compliant device reported exactly what it should enforce, passed its test, was seen, and has a policy', (one) => {
    if (judge(one, NOW).state !== 'Compliant') return;
    expect([one.revoked, one.pending, one.quarantined, one.finding]).toEqual([false, false, false, null]);
    expect(one.reported?.phase).toBe('enforced');
    expect(one.reported?.digest).toBe(one.desired?.digest);
    expect(one.desired?.empty).toBe(false);
    expect(one.selfTest?.passed).not.toBe(false);
    const seen = Math.max(one.lastSeenAt?.getTime() ?? 0, one.reported?.at.getTime() ?? 0);
    expect(NOW.getTime() - seen).toBeLessThanOrEqual(STALE_MS);
  });
  law('nothing but revocation counts for a revoked device', (one) => {
    expect(judge({ ...one, revoked: true }, NOW)).toMatchObject({ state: 'NotApplicable', reasons: [{ code: 'compliance.revoked' }] });
  });
  law('time alone never makes a device better, but for the end of grace it makes it worse', (one) => {
    const later = judge(one, new Date(NOW.getTime() + 1000));
    if (!one.revoked) expect(STATES.indexOf(later.state)).toBeGreaterThanOrEqual(STATES.indexOf(judge(one, NOW).state));
  });
  law('every state but Compliant says why', (one) => {
    const { state, reasons } = judge(one, NOW);
    if (state !== 'Compliant') expect(reasons.some((reason) => reason.state === state && reason.detail.length > 10)).toBe(true);
  });
});

describe('judging', () => {
  it('finds nothing wrong with a device that does what it should', () => expect(outcome({})).toEqual(['Compliant', []]));

  it('grants a minute from the publish, to the millisecond', () => {
    const other = { ...good.reported, digest: 'b'.repeat(64), phase: 'enforced' as const, code: null, at: before(5000) };
    const since = (ms: number) => outcome({ reported: other, desired: { digest: 'a'.repeat(64), since: before(ms), empty: false } });
    expect(since(GRACE_MS)).toEqual(['InGrace', ['compliance.in-grace']]);
    expect(since(GRACE_MS + 1)).toEqual(['NonCompliant', ['compliance.outdated']]);
    // A device that enrolled after the publish has its minute from then on.
    expect(outcome({ reported: other, enrolledAt: before(GRACE_MS) })[0]).toBe('InGrace');
  });

  it('calls a device stale after a day without a sign of it, whichever sign was the last', () => {
    const reported = { digest: 'a'.repeat(64), phase: 'enforced' as const, code: null, at: before(3 * STALE_MS) };
    expect(outcome({ reported, lastSeenAt: before(STALE_MS) })[0]).toBe('Compliant');
    expect(outcome({ reported, lastSeenAt: before(STALE_MS + 1) })).toEqual(['Stale', ['compliance.stale']]);
    expect(outcome({ lastSeenAt: null })[0]).toBe('Compliant');
  });

  it('counts a refused bundle as an error, with the code of the device', () => {
    const reported = { digest: 'b'.repeat(64), phase: 'failed' as const, code: 'bundle.schema', at: before(5000) };
    const { state, reasons } = judge({ ...good, reported }, NOW);
    expect([state, reasons[0]?.code]).toEqual(['Error', 'compliance.refused']);
    expect(reasons[0]?.detail).toContain('bundle.schema');
  });

  it('says of a device that its user controls that it is so, and still counts it', () =>
    expect(outcome({ assurance: 'user' })).toEqual(['Compliant', ['compliance.assurance-user']]));

  it('does not take a quarantined device, and says that and not that nothing is assigned', () => {
    const desired = { digest: 'a'.repeat(64), since: before(10 * GRACE_MS), empty: true };
    expect(outcome({ quarantined: true, desired })).toEqual(['NonCompliant', ['device.quarantined']]);
  });

  it.each(['restore', 'clone'] as const)('does not take a line of sessions that shows a %s', (finding) =>
    expect(outcome({ finding })).toEqual(['NonCompliant', ['device.clone-or-restore']]),
  );

  it.each(['device.state-lost', 'device.state-restored'] as const)('does not take a state that was lost or put back: %s', (code) =>
    expect(outcome({ tampering: { code, detail: 'why' } })).toEqual(['NonCompliant', [code]]),
  );

  it.each(['device.daemon-stopped', 'device.daemon-crashed'] as const)(
    'names a daemon that was ended, and counts what it enforces now: %s',
    (code) => expect(outcome({ tampering: { code, detail: 'why' } })).toEqual(['Compliant', [code]]),
  );

  it('does not take what holds only until a restart', () => {
    const reported = { digest: 'a'.repeat(64), phase: 'enforced' as const, code: 'state.not-persisted', at: before(5000) };
    expect(outcome({ reported })).toEqual(['Error', ['compliance.not-persisted']]);
  });

  it('judges nothing of a device that waits for an administrator', () =>
    expect(outcome({ pending: true, finding: 'clone', reported: null })).toEqual(['NotApplicable', ['compliance.pending']]));

  it('does not take a failed self-test', () =>
    expect(outcome({ selfTest: { passed: false, digest: 'a'.repeat(64) } })).toEqual(['NonCompliant', ['compliance.self-test']]));

  it('does not know what a device without a place should do', () =>
    expect(outcome({ desired: null })).toEqual(['Unknown', ['compliance.no-place']]));
});
