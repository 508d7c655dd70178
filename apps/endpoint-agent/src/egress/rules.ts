/** The rules of one run, ready to be asked. */
import { indexEgress, type EgressIndex } from '@cordon/policy/decide/egress.ts';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';

export interface Rules extends Pick<EgressRules, 'owners' | 'budget'> {
  readonly index: EgressIndex;
  /** Hosts that may receive the run's identity. */
  readonly identity: ReadonlySet<string>;
}

export const rulesOf = (rules: EgressRules): Rules => ({
  index: indexEgress(rules),
  identity: new Set(rules.identity.map(({ host }) => host)),
  owners: rules.owners,
  budget: rules.budget,
});
