import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Advance } from '../publishing/published.ts';
import { createHold } from './hold.ts';

const news = (serial: number, cohorts: readonly string[], devices: readonly string[] = [], renewed = false): Advance => ({
  serial,
  cohorts: new Set(cohorts),
  devices: new Set(devices),
  renewed,
});
const nothing = (serial: number): Advance => news(serial, []);

describe('what waits for witnesses', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const world = () => {
    const published = { isWitnessed: true };
    const pushed: Advance[] = [];
    let late = 0;
    const hold = createHold({ published, push: (advance) => void pushed.push(advance), onLate: () => (late += 1) });
    return { published, pushed, hold, late: () => late };
  };

  it('goes out at once when nobody is waited for', () => {
    const { hold, pushed, late } = world();
    const advance = news(1, ['coh_1']);
    hold.advance(advance);
    vi.advanceTimersByTime(60_000);
    expect([pushed, late()]).toEqual([[advance], 0]);
  });

  it('goes out together, and once, when the newest checkpoint was cosigned', () => {
    const { hold, pushed, published } = world();
    published.isWitnessed = false;
    hold.advance(news(1, ['coh_1'], ['dev_1']));
    hold.advance(news(2, ['coh_2'], [], true));
    expect(pushed).toEqual([]);
    published.isWitnessed = true;
    hold.advance(nothing(2));
    hold.advance(nothing(2));
    expect(pushed).toEqual([news(2, ['coh_1', 'coh_2'], ['dev_1'], true), nothing(2)]);
  });

  it('is told once for each time that it takes long', () => {
    const { hold, published, late } = world();
    published.isWitnessed = false;
    hold.advance(news(1, ['coh_1']));
    vi.advanceTimersByTime(20_000);
    hold.advance(news(2, ['coh_1']));
    expect(late()).toBe(0);
    vi.advanceTimersByTime(100_000);
    expect(late()).toBe(1);
    published.isWitnessed = true;
    hold.advance(nothing(2));
    published.isWitnessed = false;
    hold.advance(news(3, ['coh_1']));
    vi.advanceTimersByTime(30_000);
    expect(late()).toBe(2);
    hold.advance(news(4, ['coh_1']));
    hold.close();
    vi.advanceTimersByTime(100_000);
    expect(late()).toBe(2);
  });
});
