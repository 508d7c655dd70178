/** Policies for other features. */
import type { Tx } from '../context.ts';
import { conflict, notFound } from '../errors.ts';
import type { PolicyRow } from './policy.ts';
import { findPolicy } from './store.ts';

/** @throws Refusal policy.not-found */
export const requirePolicy = async (tx: Tx, id: string): Promise<PolicyRow> => {
  const policy = await findPolicy(tx, id);
  if (policy === null) throw notFound('policy', id);
  return policy;
};

/** One that can be assigned. @throws Refusal policy.not-found, policy.archived */
export const requireLivingPolicy = async (tx: Tx, id: string): Promise<PolicyRow> => {
  const policy = await requirePolicy(tx, id);
  if (policy.archivedAt !== null)
    throw conflict('policy.archived', `policy "${policy.name}" is archived: post a revision to it to bring it back`);
  return policy;
};
