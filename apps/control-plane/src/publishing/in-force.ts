/** For other features: what the newest publish still names. Publishers wait until the caller's transaction ends, so the answer stays true in it. */
import type { Tx } from '../context.ts';
import { readSnapshot, shareLock } from './store.ts';

/** Call it first in a transaction: publishers take their lock before every other. */
export const isInForce = async (tx: Tx, what: { readonly groupId: string } | { readonly policyId: string }): Promise<boolean> => {
  await shareLock(tx);
  const { assignments } = (await readSnapshot(tx)) ?? { assignments: [] };
  return assignments.some((assignment) =>
    'groupId' in what ? assignment.groupId === what.groupId : assignment.policyId === what.policyId,
  );
};
