/** What state a device is in, and why. Pure: facts and a clock in, a judgement out. */
import type { FindingCode } from '../tampering/tampering.ts';

export const STATES = ['NotApplicable', 'Compliant', 'InGrace', 'Stale', 'Unknown', 'NonCompliant', 'Error'] as const;
/** In this order: the worst of all reasons wins. */
export type ComplianceState = (typeof STATES)[number];

/** How long after a change a device may still enforce what was before. */
export const GRACE_MS = 60_000;
export const STALE_MS = 24 * 3_600_000;

export interface ComplianceFacts {
  readonly revoked: boolean;
  /** It waits for an administrator. */
  readonly pending: boolean;
  /** It is kept from launching anything. */
  readonly quarantined: boolean;
  /** Its line of sessions shows a state that was put back, or two machines with one key. */
  readonly finding: 'restore' | 'clone' | null;
  /** What its last hello gave away of its state, and nobody has dismissed. */
  readonly tampering: { readonly code: FindingCode; readonly detail: string } | null;
  readonly enrolledAt: Date;
  readonly lastSeenAt: Date | null;
  readonly assurance: 'system' | 'user' | null;
  /** What it should enforce, and since when; null when it has no place yet. `empty`: nothing is assigned to it. */
  readonly desired: { readonly digest: string; readonly since: Date; readonly empty: boolean } | null;
  readonly reported: {
    readonly digest: string;
    readonly phase: 'enforced' | 'failed';
    readonly code: string | null;
    readonly at: Date;
  } | null;
  readonly selfTest: { readonly passed: boolean; readonly digest: string } | null;
}

export interface Reason {
  readonly code: string;
  readonly state: ComplianceState;
  readonly detail: string;
}

export interface Judgement {
  readonly state: ComplianceState;
  readonly reasons: readonly Reason[];
}

const latest = (...times: readonly (Date | null | undefined)[]): number => Math.max(0, ...times.map((time) => time?.getTime() ?? 0));

const enforcement = ({ desired, reported, enrolledAt, quarantined }: ComplianceFacts, now: number): Reason[] => {
  if (reported === null)
    return [{ code: 'compliance.never-reported', state: 'Unknown', detail: 'the device has never said what it enforces' }];
  if (desired === null) return [{ code: 'compliance.no-place', state: 'Unknown', detail: 'the device has not been placed yet' }];
  const reasons: Reason[] = [];
  if (reported.phase === 'failed')
    reasons.push({
      code: 'compliance.refused',
      state: 'Error',
      detail: `the device refused what it was sent: ${reported.code ?? 'no code'}; it goes on enforcing what it had`,
    });
  // It holds now; a restart would bring back what was before, or nothing.
  if (reported.phase === 'enforced' && reported.code === 'state.not-persisted')
    reasons.push({
      code: 'compliance.not-persisted',
      state: 'Error',
      detail: 'what it enforces could not be stored on the device: a restart would lose it. Its disk is full or read-only',
    });
  if (quarantined)
    reasons.push({
      code: 'device.quarantined',
      state: 'NonCompliant',
      detail: 'the device is quarantined: nothing may be launched on it until an administrator releases it',
    });
  else if (desired.empty)
    reasons.push({
      code: 'compliance.no-policy',
      state: 'NonCompliant',
      detail: 'no policy is assigned to the device; nothing may be launched on it',
    });
  if (reported.phase === 'enforced' && reported.digest !== desired.digest) {
    const late = now - latest(desired.since, enrolledAt);
    reasons.push(
      late <= GRACE_MS
        ? { code: 'compliance.in-grace', state: 'InGrace', detail: 'a newer policy was published less than a minute ago' }
        : {
            code: 'compliance.outdated',
            state: 'NonCompliant',
            detail: `the device still enforces an older policy, ${Math.round(late / 1000)} seconds after it was replaced`,
          },
    );
  }
  return reasons;
};

const health = ({ selfTest, lastSeenAt, reported, assurance, finding, tampering }: ComplianceFacts, now: number): Reason[] => {
  const reasons: Reason[] = [];
  if (finding !== null)
    reasons.push({
      code: 'device.clone-or-restore',
      state: 'NonCompliant',
      detail:
        finding === 'clone'
          ? 'two machines use the key of this device in turn: retire it, and enrol each machine anew'
          : "the device's state was put back to an earlier one, or copied: look which, and settle the finding",
    });
  // A daemon that was ended is back, and tests itself: worth a look, and no state of what it enforces.
  if (tampering !== null) reasons.push({ ...tampering, state: tampering.code.startsWith('device.state-') ? 'NonCompliant' : 'Compliant' });
  if (selfTest?.passed === false)
    reasons.push({ code: 'compliance.self-test', state: 'NonCompliant', detail: "the device's own test of its containment failed" });
  const seen = latest(lastSeenAt, reported?.at);
  if (reported !== null && now - seen > STALE_MS)
    reasons.push({ code: 'compliance.stale', state: 'Stale', detail: `not seen since ${new Date(seen).toISOString()}` });
  if (assurance === 'user')
    reasons.push({
      code: 'compliance.assurance-user',
      state: 'Compliant',
      detail: 'everything on the device, Cordon included, belongs to its user, who can change it',
    });
  return reasons;
};

/** Worst wins; a device that never reported, or that nothing is assigned to, is not compliant. */
export const judge = (facts: ComplianceFacts, now: Date): Judgement => {
  if (facts.revoked)
    return { state: 'NotApplicable', reasons: [{ code: 'compliance.revoked', state: 'NotApplicable', detail: 'the device was revoked' }] };
  if (facts.pending)
    return {
      state: 'NotApplicable',
      reasons: [{ code: 'compliance.pending', state: 'NotApplicable', detail: 'the device waits for an administrator to approve it' }],
    };
  const reasons = [...enforcement(facts, now.getTime()), ...health(facts, now.getTime())];
  const worst = Math.max(STATES.indexOf('Compliant'), ...reasons.map(({ state }) => STATES.indexOf(state)));
  return { state: STATES[worst] ?? 'Unknown', reasons };
};
