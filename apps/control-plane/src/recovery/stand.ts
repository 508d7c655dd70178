/** Where a database stands: whose it is, what was published last, and how far its audit log goes. */
import type pg from 'pg';
import { CordonError } from '@cordon/policy/errors.ts';
import { GENESIS } from '@cordon/policy/trust/audit-chain.ts';

export interface Stand {
  readonly org: string;
  readonly roots: readonly string[];
  readonly floor: string;
  readonly epoch: number;
  readonly serial: number;
  readonly audit: { readonly seq: number; readonly hash: string };
}

/** @throws CordonError `backup.empty` */
export const readStand = async (client: pg.ClientBase): Promise<Stand> => {
  const { rows } = await client.query<{
    org: string;
    roots: string[];
    floor: string;
    serial: number;
    epoch: number;
    seq: string | null;
    hash: string | null;
  }>(
    `SELECT o.org_id AS org, o.root_chain AS roots, o.floor, o.serial, coalesce(c.epoch, 0) AS epoch, a.seq, a.hash FROM organisation o
     LEFT JOIN (SELECT epoch FROM checkpoint ORDER BY epoch DESC, serial DESC, id DESC LIMIT 1) c ON true
     LEFT JOIN (SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1) a ON true`,
  );
  const [row] = rows;
  if (row === undefined) throw new CordonError('backup.empty', 'the database has no organisation yet: there is nothing to back up');
  const { seq, hash, ...stand } = row;
  return { ...stand, audit: { seq: Number(seq ?? 0), hash: hash ?? GENESIS } };
};
