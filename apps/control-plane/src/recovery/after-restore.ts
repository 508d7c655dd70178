/** What a database that was put back must be told, in the transaction that puts it back: where its log has a gap, and that nothing given out since is believed. */
import type pg from 'pg';
import { CordonError } from '@cordon/policy/errors.ts';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';

export interface RestoreFacts {
  /** Undefined: it was put back by other means. */
  readonly backup: { readonly id: string; readonly at: string } | undefined;
  /** The newest head of the log that anybody kept from before. */
  readonly before: { readonly seq: number; readonly hash: string } | undefined;
  readonly at: Date;
}

/** Of the log, as in audit/store.ts. */
const CHAIN = '1129272402, 4';

/**
 * Ends every API token and enrollment token: those that were revoked or used up after the backup would be good again. Writes `organisation.restore` into the audit log.
 * @throws CordonError `restore.head` when the head given is one that the database has, or says otherwise than the database
 */
export const afterRestore = async (client: pg.ClientBase, { backup, before, at }: RestoreFacts): Promise<void> => {
  const ended = async (table: string): Promise<number> =>
    (await client.query(`UPDATE ${table} SET revoked_at = $1 WHERE revoked_at IS NULL`, [at])).rowCount ?? 0;
  const [apiTokens, enrollmentTokens] = [await ended('api_token'), await ended('enrollment_token')];
  await client.query(`SELECT pg_advisory_xact_lock(${CHAIN})`);
  const { rows } = await client.query<{ seq: string; hash: string }>('SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1');
  const head = { seq: Number(rows[0]?.seq ?? 0), hash: rows[0]?.hash ?? GENESIS };
  if (before !== undefined && before.seq <= head.seq)
    throw new CordonError(
      'restore.head',
      `the head given is of entry ${before.seq}; the log has ${head.seq} entries, so none is missing by it`,
    );
  const { rows: organisation } = await client.query<{ org: string }>('SELECT org_id AS org FROM organisation');
  const detail = {
    backup: backup ?? null,
    // Entries after this number were lost, up to the head that was known before, or to one that nobody knows.
    head,
    before: before ?? null,
    lost: before === undefined ? null : before.seq - head.seq,
    ended: { apiTokens, enrollmentTokens },
  };
  const facts = { seq: head.seq + 1, at, actor: 'system', action: 'organisation.restore', subject: organisation[0]?.org ?? '', detail };
  await client.query(
    'INSERT INTO audit_entry (seq, at, actor, action, subject, detail, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [facts.seq, at, facts.actor, facts.action, facts.subject, JSON.stringify(detail), head.hash, entryHash(head.hash, facts)],
  );
};
