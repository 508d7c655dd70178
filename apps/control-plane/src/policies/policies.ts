/** Policies for other features. */
import type { Tx } from '../context.ts';
import { notFound } from '../errors.ts';
import type { PolicyRow } from './policy.ts';
import { findPolicy } from './store.ts';

/** @throws Refusal policy.not-found */
export const requirePolicy = async (tx: Tx, id: string): Promise<PolicyRow> => {
  const policy = await findPolicy(tx, id);
  if (policy === null) throw notFound('policy', id);
  return policy;
};
