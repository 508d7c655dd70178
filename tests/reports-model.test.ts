/**
 * The device's spool and sender against the control plane's ingest, as they are, over a database that is a model: kills on either side, lost answers, a database that fails
 * before or after it has committed, and a spool that is put back from a copy. Each event that was kept is stored once; nothing is reported that did not happen.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import zlib from 'node:zlib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '@cordon/policy/_laws.ts';
import { CHAIN_START } from '@cordon/policy/protocol/batch.ts';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import type { Finding } from '../apps/control-plane/src/reports/findings.ts';
import { faultOf, type ChainEnd } from '../apps/control-plane/src/telemetry/chain.ts';
import { Ingest, type Source } from '../apps/control-plane/src/telemetry/ingest.ts';
import type { Rows } from '../apps/control-plane/src/telemetry/rows.ts';
import type { TelemetryStore } from '../apps/control-plane/src/telemetry/store.ts';
import { createSender, type Sender } from '../apps/endpoint-agent/src/telemetry/sender.ts';
import { openSpool, type Spool } from '../apps/endpoint-agent/src/telemetry/spool.ts';

const log = { warn: () => undefined, error: () => undefined };
const DEVICE = 'dev_1';

let folder: string;
beforeEach(() => {
  vi.useFakeTimers();
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-model-'));
});
afterEach(() => {
  vi.useRealTimers();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** What the real one promises: a chain moves only from where it is, together with its rows, or nothing of it does. */
const createDatabase = (): { readonly store: TelemetryStore; readonly events: TelemetryEvent[]; fails: 'never' | 'before' | 'after' } => {
  const ends = new Map<string, ChainEnd>();
  const bodies = new Map<string, Map<number, string>>();
  const events: TelemetryEvent[] = [];
  const eventsIn = ({ batchRow }: Rows): TelemetryEvent[] =>
    JSON.parse(
      zlib.zstdDecompressSync(Buffer.from(batchRow.toString().trimEnd().split('\\\\x')[1] ?? '', 'hex')).toString(),
    ) as TelemetryEvent[];
  const database = {
    events,
    fails: 'never' as 'never' | 'before' | 'after',
    store: {
      endOf: (_device: string, boot: string) =>
        database.fails === 'never' ? Promise.resolve(ends.get(boot)) : Promise.reject(new Error('gone')),
      eventsOf: (_device: string, boot: string) => Promise.resolve(bodies.get(boot) ?? new Map<number, string>()),
      write: (batches: readonly Rows[]) => {
        if (database.fails === 'before') return Promise.reject(new Error('gone'));
        const written = batches.filter((rows) => {
          const { boot, prev, hash, seqTo } = rows.frame;
          if ((ends.get(boot) ?? CHAIN_START).hash !== prev) return false;
          ends.set(boot, { boot, seq: seqTo, hash });
          const kept = bodies.get(boot) ?? new Map<number, string>();
          bodies.set(boot, kept);
          for (const event of eventsIn(rows)) {
            events.push(event);
            kept.set(event.seq, canonicalJson(event));
          }
          return true;
        });
        return database.fails === 'after' ? Promise.reject(new Error('gone after the commit')) : Promise.resolve(written);
      },
    },
  };
  return database;
};

/** Both sides, and what may happen to them. */
const createWorld = () => {
  const database = createDatabase();
  const findings: Finding[] = [];
  const spoolFolder = path.join(folder, 'spool');
  const copy = path.join(folder, 'copy');
  for (const place of [spoolFolder, copy]) fs.rmSync(place, { recursive: true, force: true });
  let [time, boots, appended] = [0, 0, 0];
  let spool: Spool;
  let sender: Sender;
  let ingest: Ingest;
  let source: Source | undefined;
  /** Ids that the device keeps: those of the copy come back with it, those since then go. */
  let kept = new Set<number>();
  let copied: Set<number> | undefined;
  let deaf = false;

  const connect = (): void => {
    const mine: Source = {
      device: DEVICE,
      chain: undefined,
      pause: () => undefined,
      resume: () => undefined,
      send: (frame: DownFrame) => {
        if (source !== mine || deaf) return;
        if (frame.type === 'telemetry.ack') sender.onAck(frame.boot, frame.seq);
        if (frame.type === 'problem') sender.onProblem(frame.code);
      },
    };
    source = mine;
    sender.onConnected();
  };
  const startServer = (): void => {
    source = undefined;
    ingest = new Ingest(
      database.store,
      {
        record: (finding) => {
          findings.push(finding);
          return Promise.resolve();
        },
      },
      () => new Date(0),
      log,
    );
  };
  const startDaemon = (): void => {
    source = undefined;
    spool = openSpool(spoolFolder, `boot_${(boots += 1)}x`, 1_048_576, () => new Date(1_800_000_000_000 + (time += 1)));
    sender = createSender({
      spool,
      send: (batch) => {
        if (source === undefined) return false;
        expect(faultOf(batch)).toBeUndefined();
        // As it goes over the wire: nothing is shared.
        ingest.offer(source, structuredClone(batch));
        return true;
      },
      clock: () => time,
    });
  };
  const pass = async (ms: number): Promise<void> => {
    time += ms;
    await vi.advanceTimersByTimeAsync(ms);
    sender.flush();
  };
  startServer();
  startDaemon();
  connect();
  return {
    database,
    findings,
    kept: () => kept,
    append: () => {
      spool.append({ kind: 'run.ended', run: 'run_1', agent: 'a', osUser: 'u', reason: 'exited', exitCode: 0, durationMs: appended });
      kept.add(appended);
      appended += 1;
    },
    pass,
    killServer: () => {
      startServer();
      connect();
    },
    killDaemon: () => {
      startDaemon();
      connect();
    },
    loseAnswers: (lose: boolean) => void (deaf = lose),
    copy: () => {
      fs.rmSync(copy, { recursive: true, force: true });
      fs.cpSync(spoolFolder, copy, { recursive: true });
      copied = new Set(kept);
    },
    putBack: () => {
      if (copied === undefined) return;
      fs.rmSync(spoolFolder, { recursive: true, force: true });
      fs.cpSync(copy, spoolFolder, { recursive: true });
      // What came after the copy and was not stored yet is gone with it.
      kept = new Set([
        ...copied,
        ...[...kept].filter((id) => database.events.some((event) => event.kind === 'run.ended' && event.durationMs === id)),
      ]);
      startDaemon();
      connect();
    },
    depth: () => spool.depth(),
  };
};

const STEPS = [
  'append',
  'append',
  'append',
  'pass',
  'pass',
  'kill daemon',
  'kill server',
  'fail before',
  'fail after',
  'heal',
  'lose answers',
  'copy',
  'put back',
] as const;

it(
  'whatever is killed, lost, failing or put back, each event that is kept is stored once',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat(3)), { maxLength: 50 }), async (steps) => {
        const world = createWorld();
        const { database } = world;
        for (const [step, size] of steps) {
          switch (step) {
            case 'append':
              for (let i = 0; i <= size; i += 1) world.append();
              break;
            case 'pass':
              await world.pass([1, 25, 600, 5000][size] ?? 1);
              break;
            case 'kill daemon':
              world.killDaemon();
              break;
            case 'kill server':
              world.killServer();
              break;
            case 'fail before':
              database.fails = 'before';
              break;
            case 'fail after':
              database.fails = 'after';
              break;
            case 'heal':
              database.fails = 'never';
              world.loseAnswers(false);
              break;
            case 'lose answers':
              world.loseAnswers(true);
              break;
            case 'copy':
              world.copy();
              break;
            case 'put back':
              world.putBack();
          }
        }
        database.fails = 'never';
        world.loseAnswers(false);
        // A connection that lost its answers is a new one some time.
        world.killServer();
        for (let i = 0; i < 40 && world.depth() > 0; i += 1) await world.pass(61_000);
        expect(world.depth()).toBe(0);
        const stored = database.events.flatMap((event) => (event.kind === 'run.ended' ? [event.durationMs] : []));
        expect(stored.toSorted((a, b) => a - b)).toEqual([...new Set(stored)].sort((a, b) => a - b));
        expect([...world.kept()].filter((id) => !stored.includes(id))).toEqual([]);
        expect(world.findings.filter(({ kind }) => kind !== 'duplicate')).toEqual([]);
      }),
      { numRuns: Math.max(100, Math.ceil(LAW_RUNS / 4)) },
    );
  },
  LAW_TIMEOUT_MS,
);
