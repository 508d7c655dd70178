/** Where telemetry is kept: COPY into both tables and the cursors that make retries exact, in one transaction. */
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { PrismaClient, TelemetryEvent } from '../db/generated/client.ts';
import { archivedEvents } from './archive.ts';
import type { ChainEnd } from './chain.ts';
import { BATCH_COPY, EVENT_COPY, type Rows } from './rows.ts';

const MOVE = `
UPDATE telemetry_cursor c SET seq = n.seq, hash = n.hash, at = $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[]) AS n(device, boot, prev, seq, hash)
WHERE c.device_id = n.device AND c.boot = n.boot AND c.hash = n.prev RETURNING c.device_id AS device, c.boot`;
const BEGIN = `
INSERT INTO telemetry_cursor (device_id, boot, seq, hash, at)
SELECT n.device, n.boot, n.seq, n.hash, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[]) AS n(device, boot, prev, seq, hash)
ON CONFLICT DO NOTHING RETURNING device_id AS device, boot`;

const keyOf = (device: string, boot: string): string => `${device} ${boot}`;

const copy = async (client: pg.PoolClient, statement: string, rows: readonly Buffer[]): Promise<void> => {
  await pipeline(Readable.from([Buffer.concat(rows)]), client.query(copyFrom(statement)));
};

/** Each chain's first predecessor and last end within these batches, which are in the order of their chains. */
const steps = (batches: readonly Rows[]): Map<string, { device: string; boot: string; prev: string; seq: number; hash: string }> => {
  const chains = new Map<string, { device: string; boot: string; prev: string; seq: number; hash: string }>();
  for (const { device, frame } of batches) {
    const key = keyOf(device, frame.boot);
    chains.set(key, { device, boot: frame.boot, prev: chains.get(key)?.prev ?? frame.prev, seq: frame.seqTo, hash: frame.hash });
  }
  return chains;
};

const moveCursors = async (client: pg.PoolClient, batches: readonly Rows[], at: Date): Promise<Set<string>> => {
  const moved = new Set<string>();
  const [first, later] = [
    [...steps(batches).values()].filter(({ prev }) => prev === FIRST_BATCH),
    [...steps(batches).values()].filter(({ prev }) => prev !== FIRST_BATCH),
  ];
  for (const [name, text, rows] of [
    ['telemetry-begin', BEGIN, first],
    ['telemetry-move', MOVE, later],
  ] as const) {
    if (rows.length === 0) continue;
    const values = [
      rows.map((r) => r.device),
      rows.map((r) => r.boot),
      rows.map((r) => r.prev),
      rows.map((r) => r.seq),
      rows.map((r) => r.hash),
      at,
    ];
    const found = await client.query<{ device: string; boot: string }>({ name, text, values });
    for (const { device, boot } of found.rows) moved.add(keyOf(device, boot));
  }
  return moved;
};

export interface TelemetryStore {
  /** @returns those that were committed; the others do not follow what the database has (another replica was faster) */
  write(batches: readonly Rows[], at: Date): Promise<readonly Rows[]>;
  endOf(device: string, boot: string): Promise<ChainEnd | undefined>;
  /** @returns the canonical text of stored events with these numbers; those that retention took are not there */
  eventsOf(device: string, boot: string, from: number, to: number): Promise<ReadonlyMap<number, string>>;
}

/** A day without its partition: PostgreSQL says check_violation. */
const isPartitionMissing = (error: unknown): boolean => error instanceof pg.DatabaseError && error.code === '23514';

export const createTelemetryStore = (pool: pg.Pool): TelemetryStore => {
  const write = async (batches: readonly Rows[], at: Date): Promise<readonly Rows[]> => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const moved = await moveCursors(client, batches, at);
      const fitting = batches.filter(({ device, frame }) => moved.has(keyOf(device, frame.boot)));
      if (fitting.length > 0) {
        await copy(
          client,
          EVENT_COPY,
          fitting.map(({ eventRows }) => eventRows),
        );
        await copy(
          client,
          BATCH_COPY,
          fitting.map(({ batchRow }) => batchRow),
        );
      }
      await client.query('COMMIT');
      return fitting;
    } catch (error) {
      await client.query('ROLLBACK').catch((cause: unknown) => {
        broken = cause instanceof Error ? cause : new Error(String(cause));
      });
      throw error;
    } finally {
      client.release(broken);
    }
  };
  return {
    write: async (batches, at) => {
      try {
        return await write(batches, at);
      } catch (error) {
        if (!isPartitionMissing(error)) throw error;
        await pool.query('SELECT cordon_ensure_partitions(7)');
        return write(batches, at);
      }
    },
    endOf: async (device, boot) => {
      const { rows } = await pool.query<ChainEnd>({
        name: 'telemetry-end',
        text: 'SELECT boot, seq, hash FROM telemetry_cursor WHERE device_id = $1 AND boot = $2',
        values: [device, boot],
      });
      return rows[0];
    },
    eventsOf: (device, boot, from, to) => archivedEvents(pool, device, boot, from, to),
  };
};

export interface EventFilter {
  readonly device?: string;
  readonly run?: string;
  readonly kind?: string;
  readonly verdict?: string;
}

/** Newest received first. @param before continues after the event that this names */
export const listEvents = (
  prisma: PrismaClient,
  filter: EventFilter,
  before: { readonly at: Date; readonly device: string; readonly boot: string; readonly seq: number } | undefined,
  take: number,
): Promise<TelemetryEvent[]> => {
  const { device, run, kind, verdict } = filter;
  return prisma.telemetryEvent.findMany({
    where: {
      ...(device !== undefined && { deviceId: device }),
      ...(run !== undefined && { run }),
      ...(kind !== undefined && { kind }),
      ...(verdict !== undefined && { verdict }),
      ...(before !== undefined && {
        receivedAt: { lte: before.at },
        OR: [
          { receivedAt: { lt: before.at } },
          { deviceId: { lt: before.device } },
          { deviceId: before.device, boot: { lt: before.boot } },
          { deviceId: before.device, boot: before.boot, seq: { lt: before.seq } },
        ],
      }),
    },
    orderBy: [{ receivedAt: 'desc' }, { deviceId: 'desc' }, { boot: 'desc' }, { seq: 'desc' }],
    take,
  });
};
