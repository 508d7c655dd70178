import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame, TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import Fastify from 'fastify';
import zlib from 'node:zlib';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Finding } from '../reports/findings.ts';
import type { ChainEnd } from './chain.ts';
import { Ingest, type Source } from './ingest.ts';
import type { Rows } from './rows.ts';

const { log } = Fastify({ logger: false });

interface Device extends Source {
  readonly got: DownFrame[];
  paused: boolean;
}
const device = (name: string): Device => {
  const one: Device = {
    device: name,
    chain: undefined,
    got: [],
    paused: false,
    send: (frame) => one.got.push(frame),
    pause: () => {
      one.paused = true;
    },
    resume: () => {
      one.paused = false;
    },
  };
  return one;
};
const batch = (before: TelemetryFrame | undefined, count: number, code = 'spool.full'): TelemetryFrame => {
  const seqFrom = (before?.seqTo ?? 0) + 1;
  const events = Array.from({ length: count }, (_, i) => ({
    seq: seqFrom + i,
    at: '2026-11-24T12:00:00.000Z',
    kind: 'dropped' as const,
    count: 1,
    code,
  }));
  const body = { boot: 'boot-1', seqFrom, seqTo: seqFrom + count - 1, prev: before?.hash ?? FIRST_BATCH, events };
  return { type: 'telemetry', ...body, hash: batchHash(body) };
};
const chain = (sizes: readonly number[]): TelemetryFrame[] => {
  const frames: TelemetryFrame[] = [];
  for (const size of sizes) frames.push(batch(frames.at(-1), size));
  return frames;
};
const acked = ({ got }: Device): number[] => got.flatMap((frame) => (frame.type === 'telemetry.ack' ? [frame.seq] : []));
const problems = ({ got }: Device): string[] => got.flatMap((frame) => (frame.type === 'problem' ? [frame.code] : []));

/** What the database would have of a row: the text that was compressed into it. */
const bodyOf = ({ batchRow }: Rows): string =>
  zlib.zstdDecompressSync(Buffer.from(batchRow.toString().trimEnd().split('\\\\x')[1] ?? '', 'hex')).toString();

describe('taking in telemetry', () => {
  /** What the database has: exactly the batches that it took. */
  let table: Rows[];
  let fault: ((batches: readonly Rows[]) => Error | undefined) | undefined;
  let reading: Promise<void>;
  let found: Finding[];
  let ingest: Ingest;
  const findings = {
    record: (finding: Finding) => {
      found.push(finding);
      return Promise.resolve();
    },
  };
  const kinds = (): string[] => found.map(({ device, kind, seq }) => `${device} ${kind} ${seq}`);
  const endOf = (name: string): ChainEnd | undefined => {
    const last = table.filter((row) => row.device === name).at(-1)?.frame;
    return last === undefined ? undefined : { boot: last.boot, seq: last.seqTo, hash: last.hash };
  };

  beforeEach(() => {
    vi.useFakeTimers();
    table = [];
    fault = undefined;
    reading = Promise.resolve();
    found = [];
    ingest = new Ingest(
      {
        endOf: async (name) => {
          await reading;
          return endOf(name);
        },
        eventsOf: (name, boot, from, to) =>
          Promise.resolve(
            new Map(
              table
                .filter((row) => row.device === name && row.frame.boot === boot)
                .flatMap((row) => JSON.parse(bodyOf(row)) as TelemetryFrame['events'])
                .filter(({ seq }) => seq >= from && seq <= to)
                .map((event): [number, string] => [event.seq, canonicalJson(event)]),
            ),
          ),
        write: (batches) => {
          const error = fault?.(batches);
          if (error !== undefined) return Promise.reject(error);
          table.push(...batches);
          return Promise.resolve(batches);
        },
      },
      findings,
      () => new Date(0),
      log,
    );
  });
  afterEach(async () => {
    await ingest.close();
    vi.useRealTimers();
  });

  it('commits each batch once and acknowledges it after that, however often it is sent', async () => {
    const one = device('dev_1');
    const frames = chain([3, 2, 4]);
    for (const frame of [...frames, ...frames]) ingest.offer(one, frame);
    expect(acked(one)).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(table.map(({ frame }) => frame.seqTo)).toEqual([3, 5, 9]);
    expect(acked(one).at(-1)).toBe(9);
    for (const frame of frames) ingest.offer(one, frame);
    await vi.advanceTimersByTimeAsync(100);
    expect(table).toHaveLength(3);
    expect(acked(one).slice(-3)).toEqual([9, 9, 9]);
    expect(kinds()).toEqual(['dev_1 duplicate 1', 'dev_1 duplicate 4', 'dev_1 duplicate 6']);
  });

  it('a batch that repeats what is stored and goes on is acknowledged as far as it is stored', async () => {
    const one = device('dev_1');
    const [first] = chain([3]);
    const longer = batch(undefined, 5);
    if (first === undefined) throw new Error('unreachable');
    ingest.offer(one, first);
    await vi.advanceTimersByTimeAsync(100);
    ingest.offer(one, longer);
    await vi.advanceTimersByTimeAsync(100);
    expect([acked(one), problems(one), table.length]).toEqual([[3, 3], [], 1]);
    // As a device goes on that cut its batch there.
    ingest.offer(one, batch(first, 2));
    await vi.advanceTimersByTimeAsync(100);
    expect([acked(one), table.length]).toEqual([[3, 3, 5], 2]);
  });

  it('never acknowledges other content for numbers that are stored, however far back', async () => {
    const one = device('dev_1');
    const frames = chain([3, 2, 4]);
    for (const frame of frames) ingest.offer(one, frame);
    await vi.advanceTimersByTimeAsync(100);
    const before = acked(one).length;
    for (const [other, seq] of [
      [batch(undefined, 3, 'other'), 1],
      [batch(frames[0], 2, 'other'), 4],
      [batch(frames[1], 4, 'other'), 6],
      [batch(frames[1], 5, 'other'), 6],
      [batch({ ...batch(undefined, 9, 'other') }, 1), 10],
    ] as const) {
      found = [];
      ingest.offer(one, other);
      await vi.advanceTimersByTimeAsync(100);
      expect(kinds()).toEqual([`dev_1 fork ${seq}`]);
    }
    expect([acked(one).length, problems(one), table.length]).toEqual([before, Array(5).fill('telemetry.fork'), 3]);
  });

  it('a finding that cannot be written down is not told to the device either: it sends again', async () => {
    const one = device('dev_1');
    const [first, , third] = chain([1, 1, 1]);
    if (first === undefined || third === undefined) throw new Error('unreachable');
    ingest.offer(one, first);
    await vi.advanceTimersByTimeAsync(100);
    const record = vi.spyOn(findings, 'record').mockRejectedValueOnce(new Error('gone'));
    ingest.offer(one, third);
    await vi.advanceTimersByTimeAsync(100);
    expect(problems(one)).toEqual(['telemetry.unavailable']);
    record.mockRestore();
    ingest.offer(one, third);
    await vi.advanceTimersByTimeAsync(100);
    expect([problems(one), kinds()]).toEqual([['telemetry.unavailable', 'telemetry.gap'], ['dev_1 gap 3']]);
  });

  it('finds nothing out while what it would be compared with waits to be written', async () => {
    const one = device('dev_1');
    const [first, second, third] = chain([1, 1, 1]);
    if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable');
    fault = () => new Error('gone');
    ingest.offer(one, first);
    await vi.advanceTimersByTimeAsync(30);
    ingest.offer(one, third);
    await vi.advanceTimersByTimeAsync(30);
    expect([problems(one), found]).toEqual([['telemetry.unavailable'], []]);
    fault = undefined;
    await vi.advanceTimersByTimeAsync(2000);
    ingest.offer(one, second);
    ingest.offer(one, third);
    await vi.advanceTimersByTimeAsync(100);
    expect([acked(one).at(-1), found]).toEqual([3, []]);
  });

  it('reads nothing more from a device while its chain is being read', async () => {
    const one = device('dev_1');
    let finish: () => void = () => undefined;
    reading = new Promise((resolve) => {
      finish = resolve;
    });
    const frames = chain([1, 1]);
    for (const frame of frames) ingest.offer(one, frame);
    expect(one.paused).toBe(true);
    finish();
    await vi.advanceTimersByTimeAsync(100);
    expect(one.paused).toBe(false);
    expect(acked(one).at(-1)).toBe(2);
  });

  it('stops reading from devices at a bound and goes on when the database has caught up', async () => {
    fault = () => new Error('gone');
    const many = Array.from({ length: 10 }, (_, i) => device(`dev_${i}`));
    const chains = many.map(() => chain(Array.from({ length: 30 }, () => 500)));
    for (let round = 0; round < 30; round += 1) {
      for (const [i, one] of many.entries()) {
        const frame = chains[i]?.[round];
        if (!one.paused && frame !== undefined) ingest.offer(one, frame);
      }
      await vi.advanceTimersByTimeAsync(5);
    }
    expect(many.every(({ paused }) => paused)).toBe(true);
    expect(table).toEqual([]);
    fault = undefined;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(many.some(({ paused }) => paused)).toBe(false);
    // What was taken is there, whole, and acknowledged; not much more than the bound was ever held.
    const held = table.reduce((sum, { events }) => sum + events, 0);
    expect(held).toBeGreaterThan(60_000);
    expect(held).toBeLessThan(70_000);
    for (const one of many) expect(acked(one).at(-1)).toBe(endOf(one.device)?.seq);
  });

  it('leaves out the one batch that the database refuses, says so, and commits all others', async () => {
    const many = Array.from({ length: 9 }, (_, i) => device(`dev_${i}`));
    fault = (batches) =>
      batches.some((row) => row.device === 'dev_4') ? Object.assign(new pg.DatabaseError('no', 0, 'error'), { code: '22P05' }) : undefined;
    for (const one of many) ingest.offer(one, batch(undefined, 2));
    await vi.advanceTimersByTimeAsync(200);
    expect(table.map((row) => row.device).sort()).toEqual(many.map((one) => one.device).filter((name) => name !== 'dev_4'));
    for (const one of many) expect([acked(one), problems(one)]).toEqual(one.device === 'dev_4' ? [[], ['telemetry.refused']] : [[2], []]);
  });

  it('writes for one device while it writes for another, and for no device twice at once', async () => {
    const finish: (() => void)[] = [];
    const under: string[][] = [];
    const slow = new Ingest(
      {
        endOf: () => Promise.resolve(undefined),
        eventsOf: () => Promise.resolve(new Map<number, string>()),
        write: async (batches) => {
          under.push(batches.map((row) => `${row.device} ${row.frame.seqTo}`));
          await new Promise<void>((resolve) => finish.push(resolve));
          return batches;
        },
      },
      findings,
      () => new Date(0),
      log,
    );
    const [one, two] = [device('dev_1'), device('dev_2')];
    const [first, second] = chain([1, 1]);
    if (first === undefined || second === undefined) throw new Error('unreachable');
    slow.offer(one, first);
    await vi.advanceTimersByTimeAsync(100);
    slow.offer(one, second);
    slow.offer(two, first);
    await vi.advanceTimersByTimeAsync(100);
    expect(under).toEqual([['dev_1 1'], ['dev_2 1']]);
    finish[1]?.();
    await vi.advanceTimersByTimeAsync(100);
    expect([acked(one), acked(two), under.length]).toEqual([[], [1], 2]);
    finish[0]?.();
    await vi.advanceTimersByTimeAsync(100);
    expect([acked(one), under[2]]).toEqual([[1], ['dev_1 2']]);
    finish[2]?.();
    await slow.close();
    expect(acked(one)).toEqual([1, 2]);
  });

  it('tells a gap from a second history, and takes neither', async () => {
    const one = device('dev_1');
    const [first, second, third] = chain([1, 1, 1]);
    if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable');
    ingest.offer(one, first);
    await vi.advanceTimersByTimeAsync(100);
    ingest.offer(one, third);
    ingest.offer(one, { ...second, prev: 'a'.repeat(64) });
    await vi.advanceTimersByTimeAsync(100);
    expect(problems(one)).toEqual(['telemetry.gap', 'telemetry.fork']);
    expect(kinds()).toEqual(['dev_1 gap 3', 'dev_1 fork 2']);
    expect(table).toHaveLength(1);
  });
});
