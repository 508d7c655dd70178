/** The one way into the audit log: in the transaction of the action itself, so neither is there without the other. */
import type { Tx } from '../context.ts';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';
import { hasEntryOf, insertEntry, lastEntry, lockChain } from './store.ts';

export interface AuditEvent {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

export interface AuditHead {
  readonly seq: number;
  /** Hash of the newest entry; 64 zeros before the first. */
  readonly hash: string;
}

/**
 * Call it last in a transaction: the chain is locked from here to the commit.
 * @returns the new head of the chain
 */
export const appendAudit = async (tx: Tx, { actor, action, subject, detail, at }: AuditEvent): Promise<AuditHead> => {
  await lockChain(tx);
  const head = await auditHead(tx);
  // What is hashed is what JSON keeps of it, since that is what can be read again.
  const kept = JSON.parse(JSON.stringify(detail)) as Record<string, never>;
  const facts = { seq: head.seq + 1, at, actor, action, subject, detail: kept };
  const hash = entryHash(head.hash, facts);
  await insertEntry(tx, { ...facts, detail: kept, prevHash: head.hash, hash });
  return { seq: facts.seq, hash };
};

/** The newest entry's place and hash, as a checkpoint carries them. */
export const auditHead = async (tx: Tx): Promise<AuditHead> => {
  const last = await lastEntry(tx);
  return last === null ? { seq: 0, hash: GENESIS } : { seq: Number(last.seq), hash: last.hash };
};

/** Whether the log has any entry of this action. */
export const hasAction = (tx: Tx, action: string): Promise<boolean> => hasEntryOf(tx, action);
