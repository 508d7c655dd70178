/**
 * `telemetry.committed`: rows a second from the wire (frames of 50 events each, parsed, checked, chained, compressed, archived) to committed and acknowledged.
 * Floor: bare COPY of the same rows, ready-made, over four connections into a table of the same shape.
 */
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { from as copyFrom } from 'pg-copy-streams';
import type pg from 'pg';
import { figure, type BenchOptions, type Figure, type Round } from './figure.ts';
import { startPlane } from './plane.ts';
import { micros, startPeer } from './wire.ts';

const BATCHES = 20;
const EVENTS = 50;
const COPY_CONNECTIONS = 4;
const COPY_ROWS = 2500;
const COLUMNS = 'device_id, boot, seq, at, received_at, kind, run, agent, os_user, verdict, rule, target, detail';

/** The rows that the product has just stored, as COPY text. */
const storedLines = async (pool: pg.Pool, after: number): Promise<string[]> => {
  const { rows } = await pool.query<{ line: string }>(
    `SELECT concat_ws(E'\\t', device_id, boot, seq, at, received_at, kind, run, agent, os_user, verdict, rule, target, detail) || E'\\n' AS line FROM telemetry_event WHERE seq > $1`,
    [after],
  );
  return rows.map(({ line }) => line);
};

const bareCopy = async (pool: pg.Pool, lines: readonly string[]): Promise<number> => {
  const chunks = Array.from({ length: Math.ceil(lines.length / COPY_ROWS) }, (_, i) =>
    Buffer.from(lines.slice(i * COPY_ROWS, (i + 1) * COPY_ROWS).join('')),
  );
  const start = micros();
  let next = 0;
  await Promise.all(
    Array.from({ length: COPY_CONNECTIONS }, async () => {
      const client = await pool.connect();
      try {
        for (let chunk = chunks[next++]; chunk !== undefined; chunk = chunks[next++])
          await pipeline(Readable.from([chunk]), client.query(copyFrom(`COPY bench_event (${COLUMNS}) FROM STDIN`)));
      } finally {
        client.release();
      }
    }),
  );
  return (lines.length / (micros() - start)) * 1e6;
};

export const run = async ({ devices, rounds, say, signal }: BenchOptions): Promise<readonly Figure[]> => {
  say(`telemetry: ${devices} devices, ${BATCHES} batches of ${EVENTS} events from each a round`);
  const bench = await startPlane(devices);
  const client = startPeer('simulated-devices.ts');
  try {
    const { pool } = bench.plane.context;
    await bench.asOwner(
      'CREATE TABLE bench_event (LIKE telemetry_event INCLUDING ALL); GRANT SELECT, INSERT, TRUNCATE ON bench_event TO cordon_app',
    );
    await client.ask({ op: 'connect', pool: 'product', port: bench.port, hello: true, tickets: bench.tickets() });
    const results: Round[] = [];
    for (let i = 0; i <= rounds; i += 1) {
      signal.throwIfAborted();
      await client.ask({ op: 'prepare', pool: 'product', batches: BATCHES, events: EVENTS });
      // The rate limit of a device refills before the next round.
      await wait(1500);
      const start = micros();
      const { end } = await client.ask<{ end: number }>({ op: 'send', pool: 'product' });
      const product = ((devices * BATCHES * EVENTS) / (end - start)) * 1e6;
      const lines = await storedLines(pool, i * BATCHES * EVENTS);
      if (lines.length !== devices * BATCHES * EVENTS)
        throw new Error(`${lines.length} rows are stored instead of ${devices * BATCHES * EVENTS}`);
      await wait(500);
      const floor = await bareCopy(pool, lines);
      say(`telemetry: round ${i}: ${product.toFixed(0)} rows/s, floor ${floor.toFixed(0)} rows/s`);
      if (i > 0) results.push({ product, floor });
      await pool.query('TRUNCATE bench_event');
    }
    return [figure('telemetry.committed', 'rows/s', results)];
  } finally {
    client.end();
    await bench.close();
  }
};
