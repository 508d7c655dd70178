/** What of an effective policy decides about the way out of a run. */
import type { EffectivePolicy } from './effective.ts';

/** What decides about names and addresses. */
export type ReachRules = Pick<EffectivePolicy, 'hosts' | 'hostLimits' | 'cidrs' | 'cidrLimits'>;

/** All that the egress proxy of a run needs. */
export interface EgressRules extends ReachRules, Pick<EffectivePolicy, 'identity' | 'owners'> {
  /** In bytes; undefined: no limit. */
  readonly budget: { readonly upload: number | undefined; readonly download: number | undefined };
}

export const NO_EGRESS: EgressRules = {
  hosts: [],
  hostLimits: [],
  cidrs: [],
  cidrLimits: [],
  identity: [],
  owners: {},
  budget: { upload: undefined, download: undefined },
};
