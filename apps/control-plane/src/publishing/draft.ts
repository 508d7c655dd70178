/** For other features: the draft as it stands, and what is in force. Call them first in a transaction: publishers take their lock before every other. */
import type { Tx } from '../context.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from './cohorts.ts';
import { readDraft, readSnapshot, shareLock } from './store.ts';

/** Neither changes until the transaction ends. @throws CordonError publish.too-large */
export const draftAndForce = async (tx: Tx, now: Date): Promise<{ readonly draft: Snapshot; readonly inForce: Snapshot }> => {
  await shareLock(tx);
  return { draft: await readDraft(tx, now), inForce: (await readSnapshot(tx)) ?? EMPTY_SNAPSHOT };
};
