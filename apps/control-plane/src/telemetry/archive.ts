/** Reading what devices sent, to the byte, out of the archive. */
import zlib from 'node:zlib';
import type pg from 'pg';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';

/** Batches read at once, and the most that one may inflate to: a batch came in a frame of 256 KiB. */
const CHUNK = 50;
const LARGEST_BODY = 1_048_576;

export interface ArchivedBatch {
  readonly boot: string;
  readonly seqFrom: number;
  readonly seqTo: number;
  readonly prev: string;
  readonly hash: string;
  readonly receivedAt: Date;
  /** Canonical text of its events; undefined when the archive holds something else. */
  readonly body: string | undefined;
}

interface Row extends Omit<ArchivedBatch, 'body'> {
  readonly body: Buffer;
}

const inflate = (body: Buffer): string | undefined => {
  try {
    return zlib.zstdDecompressSync(body, { maxOutputLength: LARGEST_BODY }).toString('utf8');
  } catch {
    return undefined; // somebody wrote it there: that is for the reader to judge
  }
};

/** Batches of a chain that hold anything of the events after one number up to another, in the order of their numbers. */
export async function* archivedBatches(
  pool: pg.Pool,
  device: string,
  boot: string,
  after: number,
  upTo: number,
): AsyncGenerator<ArchivedBatch> {
  let last = { from: 0, at: new Date(0) };
  for (;;) {
    const { rows } = await pool.query<Row>({
      name: 'telemetry-archive',
      text: `SELECT boot, seq_from AS "seqFrom", seq_to AS "seqTo", prev_hash AS prev, hash, received_at AS "receivedAt", body FROM telemetry_batch
        WHERE device_id = $1 AND boot = $2 AND seq_to > $3 AND seq_from <= $4 AND (seq_from, received_at) > ($5, $6) ORDER BY seq_from, received_at LIMIT $7`,
      values: [device, boot, after, upTo, last.from, last.at, CHUNK],
    });
    for (const row of rows) yield { ...row, body: inflate(row.body) };
    const end = rows.at(-1);
    if (end === undefined || rows.length < CHUNK) return;
    last = { from: end.seqFrom, at: end.receivedAt };
  }
}

/** @returns the canonical text of the events of a chain with these numbers, as far as they are there */
export const archivedEvents = async (
  pool: pg.Pool,
  device: string,
  boot: string,
  from: number,
  to: number,
): Promise<Map<number, string>> => {
  const events = new Map<number, string>();
  for await (const { seqFrom, body } of archivedBatches(pool, device, boot, from - 1, to)) {
    if (body === undefined) continue;
    for (const [i, event] of (JSON.parse(body) as readonly unknown[]).entries()) events.set(seqFrom + i, canonicalJson(event));
  }
  return events;
};
