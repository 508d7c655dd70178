/** One device judged at this very moment: for what hangs on it, and not on the last sweep. */
import type { Context } from '../context.ts';
import { judge, type Judgement } from './compliance.ts';
import { readFacts } from './store.ts';

export interface Standing extends Judgement {
  readonly cohort: string | null;
  /** Digest of the bundle that its cohort has; what the device enforces too, when it is compliant. */
  readonly bundle: string | null;
  readonly assurance: 'system' | 'user' | null;
}

/** @returns undefined when there is no such device */
export const judgeNow = async ({ pool, clock }: Pick<Context, 'pool' | 'clock'>, device: string): Promise<Standing | undefined> => {
  const [found] = await readFacts(pool, [device]);
  if (found === undefined) return undefined;
  const { facts, cohort } = found;
  return { ...judge(facts, clock()), cohort, bundle: facts.desired?.digest ?? null, assurance: facts.assurance };
};
