/** What the proxy of one run works with: its rules as of now, its budget, what it holds open, and whom it tells. */
import type { Budget } from './budget.ts';
import type { Holding } from './held.ts';
import type { Decision } from './messages.ts';
import type { Origination } from './originate.ts';
import type { Resolver } from './resolve-host.ts';
import type { Rules } from './rules.ts';
import type { Upstream } from './upstream.ts';

export interface Way {
  readonly rules: () => Rules;
  readonly budget: Budget;
  readonly holding: Holding;
  readonly resolver: Resolver;
  /** Whether Cordon itself answers there: no rule leads to it. */
  readonly reserved: (host: string, port: number, addresses: readonly string[]) => Promise<boolean>;
  /** The company's proxy, which every name goes to whose rule does not say `private: true`. */
  readonly upstream: Upstream | undefined;
  readonly origination: Origination | undefined;
  readonly decided: (decision: Omit<Decision, 'run'>) => void;
}
