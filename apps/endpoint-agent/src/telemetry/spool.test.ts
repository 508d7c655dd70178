import fc from 'fast-check';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent, TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { mountTinyDisk } from '../../tests/_tiny-disk.ts';
import { openSpool, type Spool } from './spool.ts';

const MIB = 1_048_576;
let folder: string;
let clock: number;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-spool-'));
  clock = Date.parse('2026-03-01T12:00:00.000Z');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const now = (): Date => new Date((clock += 1));
/** What is in the folder, beside the count of what was lost. */
const files = (): string[] => fs.readdirSync(folder).filter((name) => name !== 'lost');
const open = (boot: string, maxBytes = MIB, place = folder): Spool => openSpool(place, boot, maxBytes, now);
const event = (host: string): NewEvent => ({
  kind: 'egress',
  run: 'run_1',
  agent: 'claude-code',
  osUser: 'dev',
  verdict: 'denied',
  host,
  port: 443,
  rule: 'default-deny',
  policy: '',
});
const hosts = (events: readonly TelemetryEvent[] = []): string[] => events.map((one) => (one.kind === 'egress' ? one.host : one.kind));

/** A control plane that takes what follows, refuses what does not, and knows what it has. */
const createServer = (): { readonly taken: string[]; take(batch: TelemetryFrame): void } => {
  const ends = new Map<string, { seq: number; hash: string }>();
  const taken: string[] = [];
  return {
    taken,
    take: (batch) => {
      const { boot, seqFrom, seqTo, prev, events, hash } = batch;
      expect(seqTo - seqFrom + 1).toBe(events.length);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => seqFrom + i));
      expect(hash).toBe(batchHash(batch));
      const end = ends.get(boot) ?? { seq: 0, hash: FIRST_BATCH };
      if (seqTo <= end.seq) return;
      expect({ prev, seqFrom }).toEqual({ prev: end.hash, seqFrom: end.seq + 1 });
      ends.set(boot, { seq: seqTo, hash });
      taken.push(...hosts(events));
    },
  };
};
/** Sends and acknowledges until nothing waits. @returns everything that was sent */
const drain = (spool: Spool, server: ReturnType<typeof createServer> = createServer()): TelemetryEvent[] => {
  const sent: TelemetryEvent[] = [];
  for (let batch = spool.next(); batch !== undefined; batch = spool.next()) {
    server.take(batch);
    sent.push(...batch.events);
    spool.acknowledge(batch.boot, batch.seqTo);
  }
  for (const { boot, seq } of spool.heads()) spool.headStored(boot, seq);
  return sent;
};
const told = (events: readonly TelemetryEvent[]): number => events.reduce((sum, one) => sum + (one.kind === 'dropped' ? one.count : 0), 0);
const kept = (events: readonly TelemetryEvent[]): number => events.filter(({ kind }) => kind === 'egress').length;

describe('the spool', () => {
  it('gives events in order, numbered and linked, and forgets what is acknowledged', () => {
    const spool = open('boot_a');
    const server = createServer();
    for (let i = 0; i < 450; i += 1) spool.append(event(`h${i}.example`));
    expect(spool.depth()).toBe(450);
    expect(spool.next()?.events).toHaveLength(200);
    drain(spool, server);
    expect(server.taken).toEqual(Array.from({ length: 450 }, (_, i) => `h${i}.example`));
    expect(spool.depth()).toBe(0);
    expect(files().filter((name) => name.endsWith('.jsonl'))).toEqual([]);
  });

  it('gives the same batch until it is acknowledged, whatever comes meanwhile, also after a restart', () => {
    const spool = open('boot_a');
    spool.append(event('one.example'));
    const first = spool.next();
    spool.append(event('two.example'));
    expect(spool.next()).toEqual(first);
    const again = open('boot_b');
    expect(again.next()).toEqual(first);
    again.acknowledge('boot_a', 1);
    expect(hosts(again.next()?.events)).toEqual(['two.example']);
  });

  it('ignores an acknowledgement of something older, of another boot, and of the same again', () => {
    const spool = open('boot_a');
    for (let i = 0; i < 3; i += 1) spool.append(event(`h${i}.example`));
    const batch = spool.next();
    for (const [boot, seq] of [
      ['boot_a', 0],
      ['boot_x', 99],
      ['', 99],
    ] as const)
      spool.acknowledge(boot, seq);
    expect(spool.next()).toEqual(batch);
    spool.acknowledge('boot_a', 3);
    spool.append(event('later.example'));
    const later = spool.next();
    spool.acknowledge('boot_a', 3);
    expect(spool.next()).toEqual(later);
    expect(hosts(later?.events)).toEqual(['later.example']);
  });

  it('an acknowledgement that ends within the batch leaves the rest, which follows exactly what was committed', () => {
    const place = path.join(folder, 'full');
    const server = createServer();
    const first = open('boot_a', MIB, place);
    for (let i = 0; i < 3; i += 1) first.append(event(`h${i}.example`));
    const sent = first.next();
    if (sent === undefined) throw new Error('unreachable');
    server.take(sent);
    for (let i = 3; i < 5; i += 1) first.append(event(`h${i}.example`));
    // Its head could not be written: the next daemon does not know what was sent, and makes a longer batch.
    fs.rmSync(path.join(place, 'boot_a.jsonl.head'));
    const second = open('boot_b', MIB, place);
    expect(second.next()).toMatchObject({ boot: 'boot_a', seqFrom: 1, seqTo: 5 });
    second.acknowledge('boot_a', 3);
    expect(second.next()).toMatchObject({ boot: 'boot_a', seqFrom: 4, seqTo: 5, prev: sent.hash });
    drain(second, server);
    expect(server.taken).toEqual(['h0.example', 'h1.example', 'h2.example', 'h3.example', 'h4.example']);
  });

  it('takes an acknowledgement of more than the batch for the batch', () => {
    const spool = open('boot_a');
    spool.append(event('one.example'));
    spool.next();
    spool.append(event('two.example'));
    spool.acknowledge('boot_a', 1000);
    expect(hosts(spool.next()?.events)).toEqual(['two.example']);
  });

  it('sends what earlier boots left first, the oldest first', () => {
    open('boot_z').append(event('first.example'));
    open('boot_m').append(event('second.example'));
    const spool = open('boot_a');
    spool.append(event('third.example'));
    const server = createServer();
    drain(spool, server);
    expect(server.taken).toEqual(['first.example', 'second.example', 'third.example']);
  });

  it('nothing is lost or told twice, however often the daemon is killed between the steps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('append', 'send', 'acknowledge', 'lose the acknowledgement', 'kill'), { maxLength: 60 }),
        (steps) => {
          fs.rmSync(folder, { recursive: true, force: true });
          const server = createServer();
          let boots = 0;
          let spool = open(`boot_${boots}`);
          const appended: string[] = [];
          for (const step of steps) {
            const batch = step === 'append' || step === 'kill' ? undefined : spool.next();
            if (step === 'append') {
              appended.push(`h${appended.length}.example`);
              spool.append(event(appended.at(-1) ?? ''));
            }
            if (step === 'kill') spool = open(`boot_${(boots += 1)}`);
            if (batch !== undefined) server.take(batch);
            if (batch !== undefined && step === 'acknowledge') spool.acknowledge(batch.boot, batch.seqTo);
          }
          drain(spool, server);
          expect(server.taken).toEqual(appended);
        },
      ),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    );
  });

  it('a line that a crash cut in half never was an event, and a file that lost one in between goes on under a new name', () => {
    const spool = open('boot_a');
    for (let i = 0; i < 4; i += 1) spool.append(event(`h${i}.example`));
    const file = path.join(folder, 'boot_a.jsonl');
    fs.truncateSync(file, fs.statSync(file).size - 20);
    expect(hosts(open('boot_b').next()?.events)).toEqual(['h0.example', 'h1.example', 'h2.example']);
    const lines = fs.readFileSync(file, 'utf8').split('\n');
    fs.writeFileSync(file, [lines[0], '{"seq":2,"kind":"egress"}', lines[2], ''].join('\n'));
    const server = createServer();
    drain(open('boot_c'), server);
    expect(server.taken).toEqual(['h0.example', 'h2.example']);
    expect(files().filter((name) => name.startsWith('boot_a'))).toEqual([]);
  });

  it('files of boots that are done with go away', () => {
    const spool = open('boot_a');
    spool.append(event('one.example'));
    drain(spool, createServer());
    expect(files()).toEqual(['boot_a.jsonl.head']);
    open('boot_b');
    expect(files()).toEqual([]);
  });

  it('goes on with its numbers after it was empty', () => {
    const spool = open('boot_a');
    const server = createServer();
    for (let i = 0; i < 3; i += 1) {
      spool.append(event(`h${i}.example`));
      drain(spool, server);
    }
    spool.append(event('last.example'));
    drain(open('boot_b'), server);
    expect(server.taken).toEqual(['h0.example', 'h1.example', 'h2.example', 'last.example']);
  });
});

describe('the bound of the spool', () => {
  it('what does not fit is counted, told in its place, and never more than the bound is on disk', () => {
    const spool = open('boot_a', 8192);
    for (let i = 0; i < 100; i += 1) spool.append(event(`h${i}.example`));
    expect(fs.statSync(path.join(folder, 'boot_a.jsonl')).size).toBeLessThanOrEqual(8192);
    expect(spool.dropped()).toBeGreaterThan(10);
    const server = createServer();
    const before = drain(spool, server);
    spool.append(event('after.example'));
    const after = drain(spool, server);
    expect(hosts(after)).toEqual(['dropped', 'after.example']);
    const all = [...before, ...after];
    expect(told(all)).toBe(spool.dropped());
    expect(kept(all) + told(all)).toBe(101);
  });

  it('keeps a quarter for what no run can cause at will', () => {
    const spool = open('boot_a', 16_384);
    for (let i = 0; i < 500; i += 1) spool.append(event(`host-${i}`));
    const end: NewEvent = {
      kind: 'run.ended',
      run: 'run_1',
      agent: 'codex',
      osUser: 'dev',
      reason: 'killed',
      exitCode: 137,
      durationMs: 1,
    };
    for (let i = 0; i < 10; i += 1) {
      spool.append(end);
      spool.append(event('more'));
    }
    const server = createServer();
    const events = drain(spool, server);
    spool.close();
    expect(events.filter(({ kind }) => kind === 'run.ended')).toHaveLength(10);
    const rest = drain(spool, server);
    expect(told([...events, ...rest]) + kept([...events, ...rest])).toBe(510);
  });

  it('a daemon that stops while it is full writes the count down', () => {
    const spool = open('boot_a', 8192);
    for (let i = 0; i < 100; i += 1) spool.append(event(`h${i}.example`));
    spool.close();
    const all = drain(open('boot_b', 8192));
    expect(told(all)).toBe(spool.dropped());
    expect(kept(all) + told(all)).toBe(100);
  });

  it('the count survives a kill at any moment, and is told once', () => {
    const count = path.join(folder, 'lost');
    const server = createServer();
    let spool = open('boot_a', 8192);
    for (let i = 0; i < 100; i += 1) spool.append(event(`h${i}.example`));
    const lost = spool.dropped();
    // Killed while it is full.
    spool = open('boot_b', 8192);
    const all = drain(spool, server);
    const untold = lost - told(all);
    expect(untold).toBeGreaterThan(10);
    // Killed when it was noted that it is told, and the event that tells it was not written.
    fs.writeFileSync(count, `${untold} 2026-03-01T11:00:00.000Z\n`.padEnd(64));
    spool = open('boot_c', 8192);
    spool.append(event('after.example'));
    const [first] = spool.next()?.events ?? [];
    expect(first).toMatchObject({ kind: 'dropped', count: untold });
    // Killed when that event was written, and the count was not taken back.
    fs.writeFileSync(count, `${untold} ${first?.at}\n`.padEnd(64));
    fs.writeFileSync(path.join(folder, 'boot_c.jsonl'), `${JSON.stringify(first)}\n`);
    spool = open('boot_d', 8192);
    spool.append(event('last.example'));
    all.push(...drain(spool, server));
    expect(told(all)).toBe(lost);
    expect(hosts(all).slice(-2)).toEqual(['dropped', 'last.example']);
  });

  it('a count that cannot be read is none, and one that cannot be written goes on in memory', () => {
    fs.writeFileSync(path.join(folder, 'lost'), 'nonsense');
    expect(open('boot_a').next()).toBeUndefined();
    fs.rmSync(path.join(folder, 'lost'));
    fs.mkdirSync(path.join(folder, 'lost'));
    const spool = open('boot_b', 4096);
    const server = createServer();
    for (let i = 0; i < 50; i += 1) spool.append(event(`h${i}.example`));
    const before = drain(spool, server);
    spool.append(event('after.example'));
    expect(told([...before, ...drain(spool, server)])).toBe(spool.dropped());
  });

  it('a spool that is never quite empty does not fill up with what is acknowledged', () => {
    const spool = open('boot_a', 2 * MIB);
    const server = createServer();
    spool.append(event('zero.example'));
    for (let i = 1; i <= 12_000; i += 1) {
      spool.append(event(`h${i}.example`));
      const batch = i % 100 === 0 ? spool.next() : undefined;
      if (batch === undefined) continue;
      spool.append(event('between.example'));
      server.take(batch);
      spool.acknowledge(batch.boot, batch.seqTo);
    }
    expect(spool.dropped()).toBe(0);
    expect(fs.statSync(path.join(folder, 'boot_a.jsonl')).size).toBeLessThan(2 * MIB);
    drain(open('boot_b', 2 * MIB), server);
    expect(server.taken).toHaveLength(12_121);
  });

  it('what nobody would understand is counted, not kept', () => {
    const spool = open('boot_a');
    spool.append({ ...event('x'.repeat(300)) });
    spool.append(event('fine.example'));
    expect(hosts(spool.next()?.events)).toEqual(['dropped', 'fine.example']);
  });

  it('on a full disk it counts, never throws, and the next event is whole', () => {
    const disk = mountTinyDisk(16_384);
    const place = disk?.folder ?? folder;
    try {
      const spool = open('boot_a', MIB, place);
      spool.append(event('before.example'));
      const file = path.join(place, 'boot_a.jsonl');
      const parked = path.join(folder, 'parked');
      // Without root: writing goes to a device that is always full.
      if (disk === undefined) {
        fs.renameSync(file, parked);
        fs.symlinkSync('/dev/full', file);
      } else disk.fill(2000);
      for (let i = 0; i < 200; i += 1) spool.append(event(`lost${i}.example`));
      expect(spool.dropped()).toBeGreaterThan(100);
      if (disk === undefined) {
        fs.rmSync(file);
        fs.renameSync(parked, file);
      } else disk.free();
      spool.append(event('after.example'));
      const all = drain(open('boot_b', MIB, place));
      expect(hosts(all)[0]).toBe('before.example');
      expect(hosts(all).slice(-2)).toEqual(['dropped', 'after.example']);
      expect(told(all)).toBe(spool.dropped());
      expect(kept(all) + told(all)).toBe(202);
    } finally {
      disk?.remove();
    }
  });
});

describe('what is to be signed', () => {
  const heads = (spool: Spool): string[] => spool.heads().map(({ boot, seq, unsigned, ended }) => `${boot} ${seq} ${unsigned} ${ended}`);
  const sendAll = (spool: Spool): void => {
    for (let batch = spool.next(); batch !== undefined; batch = spool.next()) spool.acknowledge(batch.boot, batch.seqTo);
  };

  it('is the end of what is acknowledged, until the control plane has its signed head, also after a restart', () => {
    const spool = open('boot_a');
    expect(heads(spool)).toEqual([]);
    for (let i = 0; i < 3; i += 1) spool.append(event(`h${i}.example`));
    const batch = spool.next();
    expect(heads(spool)).toEqual([]);
    sendAll(spool);
    expect(spool.heads()).toEqual([{ boot: 'boot_a', seq: 3, hash: batch?.hash, unsigned: 3, ended: false }]);
    spool.headStored('boot_a', 99); // what was never acknowledged cannot be signed
    spool.headStored('boot_x', 3);
    expect(heads(spool)).toEqual(['boot_a 3 3 false']);
    spool.headStored('boot_a', 3);
    expect(heads(spool)).toEqual([]);
    spool.append(event('more.example'));
    sendAll(spool);
    expect(heads(spool)).toEqual(['boot_a 4 1 false']);
    const after = open('boot_b');
    expect(heads(after)).toEqual(['boot_a 4 1 true']);
    after.headStored('boot_a', 4);
    expect([heads(after), files()]).toEqual([[], []]);
  });

  it('is not forgotten when a chain goes on under another name', () => {
    const spool = open('boot_a');
    spool.append(event('one.example'));
    sendAll(spool);
    spool.append(event('two.example'));
    spool.rechain();
    expect(heads(spool)).toEqual(['boot_a 1 1 true']);
    sendAll(spool);
    expect(heads(spool)).toEqual(['boot_a 1 1 true', 'boot_a-1 1 1 false']);
    expect(heads(open('boot_b')).sort()).toEqual(['boot_a 1 1 true', 'boot_a-1 1 1 true']);
  });

  it('has a bound, when nobody ever takes it', () => {
    const head = JSON.stringify({ acked: 1, hash: 'a'.repeat(64), sentTo: null, signed: 0 });
    for (let i = 0; i < 300; i += 1) fs.writeFileSync(path.join(folder, `boot_${i}.jsonl.head`), head);
    expect(open('boot_now').heads()).toHaveLength(256);
    expect(files()).toHaveLength(256);
  });
});

describe('a control plane that does not go on', () => {
  it('what waits goes on under a new chain, of this boot and of an earlier one', () => {
    open('boot_a').append(event('old.example'));
    const spool = open('boot_b');
    spool.append(event('new.example'));
    for (const [boot, host] of [
      ['boot_a-1', 'old.example'],
      ['boot_b-1', 'new.example'],
    ] as const) {
      spool.rechain();
      const batch = spool.next();
      expect(batch).toMatchObject({ boot, seqFrom: 1, prev: FIRST_BATCH });
      expect(hosts(batch?.events)).toEqual([host]);
      spool.acknowledge(boot, batch?.seqTo ?? 0);
    }
    spool.append(event('later.example'));
    expect(spool.next()).toMatchObject({ boot: 'boot_b-1', seqFrom: 2 });
    expect(hosts(open('boot_c').next()?.events)).toEqual(['later.example']);
  });

  it('a crash between the new chain and the end of the old one doubles nothing', () => {
    const spool = open('boot_a');
    for (let i = 0; i < 3; i += 1) spool.append(event(`h${i}.example`));
    const file = path.join(folder, 'boot_a.jsonl');
    const before = fs.readFileSync(file);
    spool.rechain();
    fs.writeFileSync(file, before);
    const server = createServer();
    drain(open('boot_b'), server);
    expect(server.taken).toEqual(['h0.example', 'h1.example', 'h2.example']);
    expect(files()).toEqual([]);
  });

  it('a batch that is never taken is given up, counted, and what follows is not', () => {
    const spool = open('boot_a');
    spool.append(event('poison.example'));
    spool.next();
    spool.append(event('fine.example'));
    spool.giveUp();
    const server = createServer();
    drain(spool, server);
    expect(server.taken).toEqual(['fine.example', 'dropped']);
    expect(spool.dropped()).toBe(1);
    spool.giveUp(); // nothing waits: nothing happens
    expect(spool.dropped()).toBe(1);
  });
});
