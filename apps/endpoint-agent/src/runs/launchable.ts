/** What launches are made from, and why there is nothing where that has a reason of its own. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Waiting } from '../identity/waiting.ts';
import type { PolicyState } from '../policy-state/policy-state.ts';

/** @returns a function that throws CordonError `launch.crash-loop`, `launch.pending`, `launch.quarantined` */
export const launchable =
  (policyState: Pick<PolicyState, 'crashLoop' | 'current'>, waiting: Pick<Waiting, 'why' | 'whyEmpty'>, now: () => Date) =>
  (): VerifiedState | undefined => {
    const why = policyState.crashLoop();
    if (why !== undefined) throw new CordonError('launch.crash-loop', why.message, { retryable: true });
    const state = policyState.current(now());
    const pending = waiting.why();
    if (state === undefined && pending !== undefined) throw pending;
    const empty = waiting.whyEmpty();
    if (state?.content.policies.length === 0 && empty !== undefined) throw empty;
    return state;
  };
