/** Whether a run may have a token, and what the token says. Pure: a statement and the records in, a refusal or claims out. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { RunStatement } from '@cordon/policy/trust/run-statement.ts';
import { RUN_TOKEN_SECONDS, type RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import type { Standing } from '../compliance/now.ts';
import type { RunRecord } from '../telemetry/runs.ts';

const refuse = (code: string, message: string, retryable = false): never => {
  throw new CordonError(`identity.${code}`, message, { retryable });
};

/** A chain of reports goes on as `NAME-1`, `NAME-2` when its end was lost (the daemon is still the same). */
const daemonOf = (boot: string): string => boot.replace(/-\d{1,6}$/, '');

/**
 * A run lives when its device has reported that it began, in the chain of the daemon that now asks, and has not reported that it ended; the same for every run that it is
 * inside. So there is no token without a record of its run.
 * @throws CordonError `identity.run-unknown` (retryable: the report may be on its way), `identity.run-ended`, `identity.run-other`
 */
export const requireLive = (
  { run, parents, boot }: Pick<RunStatement, 'run' | 'parents' | 'boot'>,
  records: ReadonlyMap<string, RunRecord>,
): void => {
  const line = [run, ...parents];
  line.forEach((id, i) => {
    const record = records.get(id);
    if (record === undefined) return refuse('run-unknown', `this device has not reported that ${id} began`, true);
    if (record.ended) refuse('run-ended', `${id} has ended`);
    if (daemonOf(record.boot) !== daemonOf(boot)) refuse('run-ended', `${id} began under a daemon that runs no more`);
    if (record.parent !== (line[i + 1] ?? null)) refuse('run-other', `${id} was reported to have another parent`);
  });
};

/** A device whose word counts now, and where it stands. */
export interface Verified {
  readonly cohort: string;
  readonly bundle: string;
  readonly assurance: 'system' | 'user';
}

/** @throws CordonError `identity.device-unknown`, `identity.not-compliant` (retryable in grace) */
export const requireCompliant = (standing: Standing | undefined): Verified => {
  if (standing === undefined) return refuse('device-unknown', 'there is no such device');
  const { state, reasons, cohort, bundle, assurance } = standing;
  if (state !== 'Compliant' || cohort === null || bundle === null || assurance === null)
    return refuse(
      'not-compliant',
      `the device is ${state}: ${reasons.map(({ detail }) => detail).join('; ') || 'it has no place'}`,
      state === 'InGrace',
    );
  return { cohort, bundle, assurance };
};

/** @throws CordonError `identity.run-other`, `identity.not-current` */
export const requireCurrent = (statement: RunStatement, record: RunRecord | undefined, { bundle }: Verified): void => {
  if (record?.agent !== statement.agent.id) refuse('run-other', `${statement.run} was reported to be of another agent`);
  if (statement.bundle !== bundle) refuse('not-current', 'the run is not under the policy that its device should enforce now', true);
};

export interface Issue {
  readonly issuer: string;
  readonly organisation: string;
  readonly epoch: number;
  readonly now: Date;
  /** 16 random bytes, base64url. */
  readonly id: string;
}

/** What the control plane knows by itself stands under `verified`; what the device says, under `asserted`. */
export const claimsFor = (
  { device, run, parents, user, agent, audience, delivery }: RunStatement,
  { cohort, bundle, assurance }: Verified,
  { issuer, organisation, epoch, now, id }: Issue,
): RunTokenClaims => {
  const iat = Math.floor(now.getTime() / 1000);
  return {
    iss: issuer,
    sub: run,
    aud: audience,
    iat,
    nbf: iat,
    exp: iat + RUN_TOKEN_SECONDS,
    jti: id,
    verified: { organisation, epoch, device, cohort, compliance: 'Compliant', assurance, bundle },
    asserted: { run, parents, user, agent, delivery },
  };
};

/** Of a token that is genuine and in time: its run and all runs around it live, its device is compliant where it was, and the organisation is in the epoch of then. */
export const isStillGood = (
  { verified, asserted: { run, parents } }: RunTokenClaims,
  records: ReadonlyMap<string, RunRecord>,
  standing: Standing | undefined,
  epoch: number,
): boolean =>
  verified.epoch === epoch &&
  [run, ...parents].every((id) => records.get(id)?.ended === false) &&
  standing?.state === 'Compliant' &&
  standing.cohort === verified.cohort;
