/** What a state means for a run that lives: it goes on under it, or it has no place under it and ends after the policy's grace. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan, Limits } from '@cordon/policy/launch-plan.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import { compileFor, planFor, type HostFacts } from './decide.ts';
import { effectiveOf, enclosedOf } from './nesting.ts';
import type { LiveRun } from './run-table.ts';
import { widerAt } from './wider.ts';

export interface Consequence {
  /** In force at once, whatever else follows. */
  readonly egress: LaunchPlan['egress'];
  readonly limits: Limits;
  /** How long a run may go on that cannot stay: the strictest that the new state says for it. */
  readonly graceMs: number;
  /** Why it cannot stay; undefined when it can. */
  readonly end: { readonly code: string; readonly message: string } | undefined;
}

/** An expired policy ends what runs only where it says so; what runs under a softer one goes on as it was. */
const lasting = (state: VerifiedState): VerifiedState => (state.freshness === 'expired' ? { ...state, freshness: 'stale' } : state);

/** Pure but for looks at the file system. */
export const consequenceOf = (state: VerifiedState, live: LiveRun, host: HostFacts): Consequence => {
  const effective = enclosedOf(state, live);
  const { onExpiry } = effective.settings;
  // Where nothing is assigned any more, as in a quarantine, nobody is left who grants a grace.
  const graceMs = state.prepared.length === 0 ? 0 : effective.settings.graceMs;
  const { egress, limits } = compileFor(effective, host);
  const ends = (code: string, message: string): Consequence => ({ egress, limits, graceMs, end: { code, message } });
  if (state.freshness === 'expired' && onExpiry === 'stop')
    return ends('policy.expired', 'the policy of this device has expired, and says that what runs ends then');
  try {
    const plan = planFor(lasting(state), effectiveOf(state, live), live.cwd, host);
    const wider = widerAt(live.filesystem, plan.request.filesystem);
    if (wider !== undefined) return ends('policy.narrowed', `what is in force now gives it less of ${wider}`);
    return { egress, limits, graceMs, end: undefined };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return ends(error.code, error.message);
  }
};
