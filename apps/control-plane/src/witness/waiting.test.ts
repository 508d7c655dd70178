import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createWaiting } from './waiting.ts';

describe('a request that waits for the next checkpoint', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const world = () => {
    const listeners = new Set<() => void>();
    const waiting = createWaiting({
      subscribe: (listener) => {
        const call = (): void => listener({ serial: 1, cohorts: new Set(), devices: new Set(), renewed: false });
        listeners.add(call);
        return () => listeners.delete(call);
      },
    });
    const has = async (news: { readonly come: Promise<void> }): Promise<boolean> =>
      Promise.race([news.come.then(() => true), Promise.resolve().then(() => false)]);
    return { waiting, listeners, announce: () => listeners.forEach((call) => call()), has };
  };

  it('is answered when it comes, after its time, or when the service stops', async () => {
    const { waiting, announce, listeners, has } = world();
    const [one, two] = [waiting.next(25_000), waiting.next(25_000)];
    expect([await has(one), await has(two)]).toEqual([false, false]);
    announce();
    await Promise.all([one.come, two.come]);
    const late = waiting.next(25_000);
    vi.advanceTimersByTime(24_999);
    expect(await has(late)).toBe(false);
    vi.advanceTimersByTime(1);
    await late.come;
    const stopped = waiting.next(25_000);
    waiting.close();
    await stopped.come;
    await waiting.next(25_000).come;
    expect([listeners.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('does not wait without a time, or when too many do', async () => {
    const { waiting, has } = world();
    await waiting.next(0).come;
    const all = Array.from({ length: 64 }, () => waiting.next(1000));
    await waiting.next(1000).come;
    all[0]?.end();
    expect(await has(waiting.next(1000))).toBe(false);
  });
});
