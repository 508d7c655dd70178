/** A way out for tests: its rules from the text of a policy, its names from a table. */
import type { LookupAddress } from 'node:dns';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import { effectiveOf } from '../../tests/_policy.ts';
import { createBudget } from './budget.ts';
import { createHolding, type Holding } from './held.ts';
import type { Decision } from './messages.ts';
import { createResolver } from './resolve-host.ts';
import { rulesOf } from './rules.ts';
import type { Way } from './way.ts';

/** @param spec what stands under `spec:` of one policy */
export const egressOf = (spec: string): EgressRules =>
  compileBubblewrap(effectiveOf(spec), { exists: () => true, isDirectory: () => true, installation: [] }).egress;

export const lookupIn =
  (names: Readonly<Record<string, readonly string[]>>, asked: (host: string) => void) =>
  async (host: string): Promise<LookupAddress[]> => {
    asked(host);
    const addresses = names[host];
    if (addresses === undefined) throw new Error('ENOTFOUND');
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };

export type SaidDecision = Omit<Decision, 'run'>;

export interface TestWay {
  readonly way: Way;
  readonly holding: Holding;
  /** New rules, as the process takes them. */
  use(rules: EgressRules): void;
}

export const testWay = (
  first: EgressRules,
  lookup: (host: string) => Promise<LookupAddress[]>,
  decided: (decision: SaidDecision) => void,
  more: Partial<Pick<Way, 'upstream' | 'origination' | 'reserved'>> = {},
): TestWay => {
  let rules = rulesOf(first);
  const holding = createHolding();
  const budget = createBudget(
    () => rules.budget,
    () => holding.cutAll({ rule: 'resources', code: 'egress.budget' }),
    () => undefined,
  );
  const way: Way = {
    rules: () => rules,
    budget,
    holding,
    resolver: createResolver(lookup, () => new Set(['198.51.100.7'])),
    reserved: async () => false,
    upstream: undefined,
    origination: undefined,
    decided,
    ...more,
  };
  return {
    way,
    holding,
    use: (next) => {
      rules = rulesOf(next);
      holding.judgeAgain(rules);
    },
  };
};
