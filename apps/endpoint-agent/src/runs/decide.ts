/** From what is in force to what one launch may do: the same pure functions for a run, for `why` and for the self-test. */
import fs from 'node:fs';
import type { ResourceMeans } from '@cordon/policy/compile/bubblewrap-controls.ts';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import { withExceptions } from '@cordon/policy/document/exception.ts';
import type { EffectivePolicy, Subject } from '@cordon/policy/effective.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { explainPath } from '@cordon/policy/explain.ts';
import { resolve, resolveAudit, type ResolveInput } from '@cordon/policy/resolve.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import { variablesOf } from './subject.ts';

/** What a plan must know of this machine, beside what is there. */
export interface HostFacts {
  /** Places of Cordon's own programs: never writable from inside a run. */
  readonly installation: readonly string[];
  /** Nothing unless it says so. */
  readonly limits?: ResourceMeans;
  /** Whether the way out of every run goes through a company's proxy, which resolves names. */
  readonly upstream?: boolean;
}

const inputOf = (state: VerifiedState | undefined, subject: Subject, cwd: string, account: Account): ResolveInput => {
  if (state === undefined)
    throw new CordonError(
      'launch.no-bundle',
      'this device has no valid policy yet: it launches nothing until the control plane has sent one',
      { retryable: true },
    );
  // By the time that the state was judged by: a clock that is set back gives no exception a second life.
  const policies = withExceptions(state.prepared, state.exceptions, state.judgedAt);
  return { policies, floor: state.preparedFloor, subject, variables: variablesOf(cwd, account, subject.agent.id) };
};

/** One policy of a subject at a place, by this state. */
export type PolicyFor = (state: VerifiedState | undefined, subject: Subject, cwd: string, account: Account) => EffectivePolicy;

/** @throws CordonError `launch.no-bundle`: nothing valid is in force, so nothing launches and nothing is allowed */
export const effectiveFor: PolicyFor = (...asked) => resolve(inputOf(...asked));

/** What would be enforced if policies in audit mode were. @throws CordonError `launch.no-bundle` */
export const auditFor: PolicyFor = (...asked) => {
  const input = inputOf(...asked);
  return resolveAudit(input) ?? resolve(input);
};

/** The policy in the sandbox's terms on this machine, whether or not anything may start under it. */
export const compileFor = (effective: EffectivePolicy, { installation, limits, upstream = false }: HostFacts): LaunchPlan =>
  compileBubblewrap(effective, {
    exists: (path) => fs.existsSync(path),
    isDirectory: (path) => fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false,
    installation,
    upstream,
    ...(limits !== undefined && { limits }),
  });

/** @throws CordonError `launch.expired`, `launch.no-policy`, `launch.workspace`, `launch.required-unmet` */
export const planFor = (state: VerifiedState, effective: EffectivePolicy, cwd: string, host: HostFacts): LaunchPlan => {
  if (state.freshness === 'expired')
    throw new CordonError(
      'launch.expired',
      `the policy of this device expired at ${state.expiresAt.toISOString()}: it must reach its control plane before anything new starts`,
      { retryable: true },
    );
  if (effective.refused !== undefined) throw new CordonError(effective.refused.code, effective.refused.message);
  if (cwd !== '/' && explainPath(effective, cwd, 'read').verdict === 'denied') {
    const why = effective.workspace.allowed ? explainPath(effective, cwd, 'read').reason : effective.workspace.why;
    throw new CordonError('launch.workspace', `${cwd} is not a place where this may run: ${why}`, { place: cwd });
  }
  const plan = compileFor(effective, host);
  if (plan.unmet.length > 0)
    throw new CordonError(
      'launch.required-unmet',
      `the policy requires what this device cannot enforce: ${plan.unmet.map((c) => `${c.control} (${c.why})`).join('; ')}`,
    );
  return plan;
};
