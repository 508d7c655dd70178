import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HEARTBEAT_SECONDS, startHeartbeat } from './heartbeat.ts';
import { SessionHub } from './hub.ts';
import type { Push } from './push.ts';
import type { Session } from './session.ts';

interface Fake {
  readonly session: Session;
  readonly pings: number[];
  readonly closes: [number, string][];
  ended: boolean;
  paused: boolean;
  waiting: number;
}

/** What the heartbeat sees of a session. */
const fake = (device: string): Fake => {
  const made: Omit<Fake, 'session'> = { pings: [], closes: [], ended: false, paused: false, waiting: 0 };
  const session = {
    device,
    greeted: false,
    cohort: undefined,
    openedAt: performance.now(),
    heardAt: performance.now(),
    channel: {
      terminate: () => {
        made.ended = true;
      },
      get isPaused() {
        return made.paused;
      },
    },
    socket: {
      get writableLength() {
        return made.waiting;
      },
    },
    write: () => made.pings.push(performance.now()),
    close: (code: number, reason: string) => made.closes.push([code, reason]),
  };
  return Object.assign(made, { session: session as object as Session });
};

describe('the heartbeat', () => {
  let hub: SessionHub;
  let stop: () => void;
  let catchUps: number;
  beforeEach(() => {
    vi.useFakeTimers();
    hub = new SessionHub();
    catchUps = 0;
    const push: Pick<Push, 'catchUp'> = {
      catchUp: () => {
        catchUps += 1;
        return Promise.resolve();
      },
    };
    stop = startHeartbeat(hub, push as Push);
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });
  const join = (device: string, greeted: boolean): Fake => {
    const one = fake(device);
    one.session.greeted = greeted;
    hub.add(one.session);
    return one;
  };

  it('closes who has not said hello within five seconds, and nobody else', async () => {
    const [silent, polite] = [join('dev_1', false), join('dev_2', false)];
    await vi.advanceTimersByTimeAsync(4000);
    polite.session.greeted = true;
    expect(silent.closes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1500);
    expect(silent.closes[0]).toEqual([4400, 'channel.hello-missing']);
    expect(polite.closes).toEqual([]);
    expect(hub.waiting).toBe(1);
  });

  it('pings everyone once in each period, spread over it', async () => {
    const all = Array.from({ length: 500 }, (_, i) => join(`dev_${i}`, true));
    for (let second = 0; second < HEARTBEAT_SECONDS; second += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      for (const { session } of all) session.heardAt = performance.now();
    }
    expect(all.map(({ pings }) => pings.length)).toEqual(all.map(() => 1));
    const times = Map.groupBy(all, ({ pings }) => pings[0]);
    expect(times.size).toBe(100);
    for (const together of times.values()) expect(together).toHaveLength(5);
  });

  it('ends who is silent for a minute, but not who is not read from, and writes no ping behind unread bytes', async () => {
    const [dead, paused, slow] = [join('dev_1', true), join('dev_2', true), join('dev_3', true)];
    paused.paused = true;
    slow.waiting = 1000;
    for (let second = 0; second < 100; second += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      slow.session.heardAt = performance.now();
    }
    expect([dead.ended, paused.ended, slow.ended]).toEqual([true, false, false]);
    expect(slow.pings).toEqual([]);
    expect(catchUps).toBeGreaterThan(300);
  });
});
