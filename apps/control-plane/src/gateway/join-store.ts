/** What is kept of the sessions of devices. Inside the caller's transaction; one statement for all of them. */
import type { KeptJoin } from '../auth/join.ts';
import type { Tx } from '../context.ts';

export type Finding = 'restore' | 'clone';

export interface JoinRow extends KeptJoin {
  readonly device: string;
  /** It may have a session at all: it waits for an administrator, or has a place. */
  readonly alive: boolean;
  readonly generation: number;
  readonly finding: string | null;
}

const select = (tx: Tx, devices: readonly string[]): Promise<JoinRow[]> => tx.$queryRaw<JoinRow[]>`
  SELECT j.device_id AS device, j.joins AS count, j.mark, j.displaced, j.finding, d.revoked_at IS NULL AS alive, d.key_generation AS generation
  FROM device_join j JOIN device d ON d.id = j.device_id
  WHERE j.device_id = ANY(${[...devices]}::text[]) ORDER BY j.device_id FOR UPDATE OF j`;

/** The rows of these devices, made where there is none, and locked in the order of their ids until the transaction ends. */
export const lockJoins = async (tx: Tx, devices: readonly string[]): Promise<ReadonlyMap<string, JoinRow>> => {
  let rows = await select(tx, devices);
  if (rows.length < devices.length) {
    await tx.$executeRaw`
      INSERT INTO device_join (device_id, joins, mark) SELECT id, 0, '' FROM device WHERE id = ANY(${[...devices]}::text[]) ORDER BY id ON CONFLICT DO NOTHING`;
    rows = await select(tx, devices);
  }
  return new Map(rows.map((row) => [row.device, row]));
};

export interface JoinWrite extends KeptJoin {
  readonly device: string;
  /** What was found with this session; undefined leaves what was found before. */
  readonly found: Finding | undefined;
}

export const writeJoins = async (tx: Tx, joins: readonly JoinWrite[], at: Date): Promise<void> => {
  const [devices, counts, marks] = [joins.map((j) => j.device), joins.map((j) => j.count), joins.map((j) => j.mark)];
  const [displaced, found] = [joins.map((j) => j.displaced.join(' ')), joins.map((j) => j.found ?? '')];
  await tx.$executeRaw`
    UPDATE device_join SET joins = n.count, mark = n.mark, displaced = string_to_array(n.displaced, ' '),
      finding = coalesce(nullif(n.found, ''), finding), found_at = CASE WHEN n.found = '' THEN found_at ELSE ${at}::timestamptz END
    FROM unnest(${devices}::text[], ${counts}::int[], ${marks}::text[], ${displaced}::text[], ${found}::text[]) AS n(device, count, mark, displaced, found)
    WHERE device_join.device_id = n.device`;
};
