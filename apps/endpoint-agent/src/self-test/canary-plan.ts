/** What the canary gets: what policies give to any agent, less their hosts, and one folder and one address of its own. */
import { preparePolicy } from '@cordon/policy/document/prepare.ts';
import { withExceptions } from '@cordon/policy/document/exception.ts';
import { NO_EGRESS } from '@cordon/policy/egress-rules.ts';
import type { EffectivePolicy, RuleOrigin, Subject } from '@cordon/policy/effective.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Account } from '../local-api/accounts.ts';
import { compileFor, type HostFacts } from '../runs/decide.ts';
import { variablesOf } from '../runs/subject.ts';

export interface CanaryPlanOptions {
  readonly state: VerifiedState | undefined;
  readonly account: Account;
  readonly host: HostFacts;
  /** May be written to. */
  readonly granted: string;
  /** Of this host's loopback, may be fetched from through the proxy. */
  readonly port: number;
  readonly timeoutMs: number;
}

const NAME = 'self-test';
const AGENT = 'cordon-self-test';

/** Lets the canary start where no policy of the organisation is for every agent; it allows nothing. */
const STARTING = preparePolicy({
  policy: 'pol_self_test',
  name: NAME,
  revision: 1,
  document: { apiVersion: 'cordon/v1', kind: 'ContainmentPolicy', metadata: { name: NAME }, spec: { allow: {} } },
  because: [],
});
const ORIGIN: RuleOrigin = { rule: NAME, source: 'builtin', policy: NAME, revision: 1, because: [] };

const effectiveFor = (state: VerifiedState | undefined, account: Account): EffectivePolicy => {
  const subject: Subject = { agent: { id: AGENT, proof: 'proven' }, user: account.name, os: 'linux' };
  const variables = variablesOf('/', account, AGENT);
  const own = state === undefined ? [] : withExceptions(state.prepared, state.exceptions, state.judgedAt);
  const effective = resolve({ policies: [...own, STARTING], floor: state?.preparedFloor, subject, variables });
  // Where nothing may start at all, the device is still asked whether it could contain.
  return effective.refused === undefined ? effective : resolve({ policies: [STARTING], floor: undefined, subject, variables });
};

export const canaryPlan = ({ state, account, host, granted, port, timeoutMs }: CanaryPlanOptions): LaunchPlan => {
  const plan = compileFor(effectiveFor(state, account), host);
  const { filesystem } = plan.request;
  return {
    ...plan,
    request: { ...plan.request, filesystem: { ...filesystem, readwritePaths: [...filesystem.readwritePaths, granted] } },
    egress: { ...NO_EGRESS, hosts: [{ host: '127.0.0.1', ports: [port], private: true, effect: 'allow', origin: ORIGIN }] },
    limits: { ...plan.limits, timeoutMs },
  };
};
