/** For other features: what the newest publish still names. Publishers wait until the caller's transaction ends, so the answer stays true in it. */
import type { Tx } from '../context.ts';
import { EMPTY_SNAPSHOT } from './cohorts.ts';
import { readSnapshot, shareLock } from './store.ts';

/** Call it first in a transaction: publishers take their lock before every other. */
export const isInForce = async (tx: Tx, what: { readonly groupId: string } | { readonly policyId: string }): Promise<boolean> => {
  await shareLock(tx);
  const { assignments, exceptions } = (await readSnapshot(tx)) ?? EMPTY_SNAPSHOT;
  if ('policyId' in what) return assignments.some(({ policyId }) => policyId === what.policyId);
  return [...assignments, ...exceptions].some(({ groupId }) => groupId === what.groupId);
};
