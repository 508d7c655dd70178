/** Where a database stands: whose it is, what was published last, and how far its audit log goes. */
import type pg from 'pg';
import { CordonError } from '@cordon/policy/errors.ts';
import { GENESIS } from '@cordon/policy/trust/audit-chain.ts';

export interface Stand {
  readonly org: string;
  readonly roots: readonly string[];
  readonly floor: string;
  /** The newest of which the database knows, by its root or by what was signed. */
  readonly epoch: number;
  readonly serial: number;
  /** The newest checkpoint. */
  readonly newest: { readonly epoch: number; readonly serial: number } | null;
  /** What it says of what people approved. */
  readonly standing: string | null;
  readonly audit: { readonly seq: number; readonly hash: string };
}

/** Payloads that this service stored after it had verified them. */
const payloadOf = (encoded: string | undefined): { readonly epoch?: number; readonly standing?: string } =>
  JSON.parse(Buffer.from(encoded ?? '', 'base64url').toString('utf8') || '{}') as { epoch?: number; standing?: string };

interface Row {
  readonly org: string;
  readonly roots: string[];
  readonly floor: string;
  readonly serial: number;
  readonly epoch: number | null;
  readonly signed: number | null;
  readonly jws: string | null;
  readonly seq: string | null;
  readonly hash: string | null;
}

/** @throws CordonError `backup.empty` */
export const readStand = async (client: pg.ClientBase): Promise<Stand> => {
  const { rows } = await client.query<Row>(
    `SELECT o.org_id AS org, o.root_chain AS roots, o.floor, o.serial, c.epoch, c.serial AS signed, c.jws, a.seq, a.hash FROM organisation o
     LEFT JOIN (SELECT epoch, serial, jws FROM checkpoint ORDER BY epoch DESC, serial DESC, id DESC LIMIT 1) c ON true
     LEFT JOIN (SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1) a ON true`,
  );
  const [row] = rows;
  if (row === undefined) throw new CordonError('backup.empty', 'the database has no organisation yet: there is nothing to back up');
  const { org, roots, floor, serial, epoch, signed, jws, seq, hash } = row;
  const { payload } = JSON.parse(roots.at(-1) ?? '{}') as { payload?: string };
  return {
    org,
    roots,
    floor,
    epoch: Math.max(epoch ?? 0, payloadOf(payload).epoch ?? 0),
    serial,
    newest: epoch === null || signed === null ? null : { epoch, serial: signed },
    standing: payloadOf(jws?.split('.')[1]).standing ?? null,
    audit: { seq: Number(seq ?? 0), hash: hash ?? GENESIS },
  };
};
