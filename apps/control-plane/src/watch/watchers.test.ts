import Fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Progress } from '../publishing/progress.ts';
import { Watcher } from './watcher.ts';
import { MOST, Watchers, type Newest, type Sources } from './watchers.ts';

/** A socket whose reader takes a message only when the test lets it. */
const slowSocket = () => {
  const sent: string[] = [];
  const done: ((error?: Error) => void)[] = [];
  const closes: [number | undefined, string | Buffer | undefined][] = [];
  let pings = 0;
  let terminated = false;
  const socket: Watcher['socket'] = {
    send: (text: unknown, callback: unknown) => {
      sent.push(String(text));
      done.push(callback as (error?: Error) => void);
    },
    close: (code?: number, reason?: string | Buffer) => void closes.push([code, reason]),
    ping: () => void (pings += 1),
    terminate: () => void (terminated = true),
  };
  return { socket, sent, closes, take: () => done.shift()?.(), pings: () => pings, terminated: () => terminated };
};

describe('one reader', () => {
  it('gets every message while it reads', () => {
    const { socket, sent, take } = slowSocket();
    const watcher = new Watcher(socket, 'tok_1', undefined);
    for (const text of ['a', 'b', 'c']) {
      watcher.send('progress', text);
      take();
    }
    expect(sent).toEqual(['a', 'b', 'c']);
  });

  it('gets only the newest of each kind when it is slow, what was published first', () => {
    const { socket, sent, take } = slowSocket();
    const watcher = new Watcher(socket, 'tok_1', undefined);
    for (let i = 0; i < 1000; i += 1) {
      watcher.send('progress', `progress ${i}`);
      watcher.send('published', `published ${i}`);
    }
    expect(sent).toEqual(['progress 0']);
    for (let i = 0; i < 5; i += 1) take();
    expect(sent).toEqual(['progress 0', 'published 999', 'progress 999']);
  });
});

describe('all readers', () => {
  const { log } = Fastify({ logger: false });
  let newest: Newest | null;
  let acknowledged: number;
  let ended: Map<string, string>;
  let looks: number;
  let follows: number;
  const progress = (changeSet: string): Progress => ({ changeSet, serial: 1, devices: 10, acknowledged, failed: 0, lastAckMs: null });
  const sources: Sources = {
    newest: () => {
      looks += 1;
      return Promise.resolve(newest);
    },
    follow: (changeSet) => {
      follows += 1;
      return Promise.resolve(() => Promise.resolve(progress(changeSet)));
    },
    ended: () => Promise.resolve(ended),
  };
  let watchers: Watchers;

  beforeEach(() => {
    vi.useFakeTimers();
    newest = { id: 'chg_1', title: 'One', serial: 1, publishedAt: new Date(0) };
    acknowledged = 0;
    ended = new Map();
    looks = 0;
    follows = 0;
    watchers = new Watchers(sources, log);
  });
  afterEach(async () => {
    await watchers.close();
    vi.useRealTimers();
  });
  const reader = (changeSet?: string, token = 'tok_1') => {
    const made = slowSocket();
    const watcher = new Watcher(made.socket, token, changeSet);
    watchers.add(watcher);
    return { ...made, watcher };
  };

  it('costs nothing while nobody watches', async () => {
    watchers.touch();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(looks).toBe(0);
  });

  it('looks at most ten times a second, once for all readers, whatever happens', async () => {
    const readers = Array.from({ length: 50 }, () => reader());
    for (let ms = 0; ms < 1000; ms += 1) {
      acknowledged += 1;
      watchers.touch();
      await vi.advanceTimersByTimeAsync(1);
      for (const { take } of readers) take();
    }
    expect(looks).toBeLessThanOrEqual(10);
    expect(looks).toBeGreaterThanOrEqual(9);
    expect(follows).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    for (const { sent } of readers) expect(JSON.parse(sent.at(-1) ?? '')).toMatchObject({ type: 'progress', acknowledged: 1000 });
  });

  it('says nothing twice, and tells a new reader at once', async () => {
    const first = reader();
    await vi.advanceTimersByTimeAsync(5000);
    expect(first.sent).toHaveLength(1);
    const second = reader();
    await vi.advanceTimersByTimeAsync(100);
    expect([first.sent.length, second.sent.length]).toEqual([1, 1]);
  });

  it('sees within a second what another replica stored', async () => {
    const one = reader();
    await vi.advanceTimersByTimeAsync(100);
    one.take();
    acknowledged = 7;
    await vi.advanceTimersByTimeAsync(1100);
    expect(JSON.parse(one.sent.at(-1) ?? '')).toMatchObject({ acknowledged: 7 });
  });

  it('begins with the first publish when there was none, and follows the newest or the one that was named', async () => {
    newest = null;
    const [follower, named] = [reader(), reader('chg_0')];
    await vi.advanceTimersByTimeAsync(100);
    expect([follower.sent.length, named.sent.length]).toEqual([0, 1]);
    named.take();
    newest = { id: 'chg_2', title: 'Two', serial: 2, publishedAt: new Date(0) };
    watchers.touch();
    await vi.advanceTimersByTimeAsync(100);
    follower.take();
    named.take();
    expect(follower.sent.map((text) => JSON.parse(text) as object)).toEqual([
      { type: 'published', changeSet: 'chg_2', serial: 2, title: 'Two', publishedAt: '1970-01-01T00:00:00.000Z' },
      { type: 'progress', ...progress('chg_2') },
    ]);
    expect(named.sent.slice(1).map((text) => JSON.parse(text) as object)).toEqual([expect.objectContaining({ type: 'published' })]);
  });

  it('ends those whose token has ended and no others', async () => {
    const [gone, stays] = [reader(undefined, 'tok_gone'), reader(undefined, 'tok_stays')];
    ended.set('tok_gone', 'auth.token-revoked');
    await vi.advanceTimersByTimeAsync(1000);
    expect(gone.closes).toEqual([[4401, 'auth.token-revoked']]);
    expect(stays.closes).toEqual([]);
  });

  it('ends who does not answer two pings, and keeps who does', async () => {
    const [dead, alive] = [reader(), reader()];
    for (let second = 0; second < 51; second += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      alive.watcher.answered = true;
    }
    expect(dead.pings()).toBe(2);
    expect(dead.terminated()).toBe(true);
    expect(alive.terminated()).toBe(false);
  });

  it('has room for so many and no more, of one token and in all', () => {
    for (let i = 0; i < MOST.perToken; i += 1) reader(undefined, 'tok_greedy');
    expect(watchers.hasRoom('tok_greedy')).toBe(false);
    expect(watchers.hasRoom('tok_other')).toBe(true);
    for (let i = MOST.perToken; i < MOST.all; i += 1) reader(undefined, `tok_${i}`);
    expect(watchers.hasRoom('tok_other')).toBe(false);
  });

  it('goes on after the database could not be read', async () => {
    const one = reader();
    const broken = vi.spyOn(sources, 'newest').mockRejectedValueOnce(new Error('gone'));
    await vi.advanceTimersByTimeAsync(100);
    expect(one.sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1200);
    expect(one.sent).toHaveLength(1);
    broken.mockRestore();
  });
});
