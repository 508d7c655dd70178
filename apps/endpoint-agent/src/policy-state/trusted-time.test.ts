import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { createTrustedTime, type TrustedTime } from './trusted-time.ts';

const HOUR = 3_600_000;
/** A noon from which hours are counted, and a clock that no one can set. */
const begin = (): { time: TrustedTime; at: (hours: number) => Date; hours: (date: Date) => number; pass: (hours: number) => void } => {
  const noon = Date.parse('2026-03-01T12:00:00.000Z');
  let elapsed = 123_456.789;
  return {
    time: createTrustedTime(() => elapsed),
    at: (hours) => new Date(noon + hours * HOUR),
    hours: (date) => (date.getTime() - noon) / HOUR,
    pass: (hours) => (elapsed += hours * HOUR),
  };
};

describe('trusted time', () => {
  it('is the clock while nothing is known', () => {
    const { time, at } = begin();
    expect(time.onReceipt(at(-1000))).toEqual(at(-1000));
    expect(time.inForce(at(-1000))).toEqual(at(-1000));
  });

  it('is not before the newest state was signed, and the time since it came', () => {
    const { time, at, pass } = begin();
    time.began(at(0), at(0.1));
    expect(time.onReceipt(at(-5))).toEqual(at(0));
    pass(2);
    expect(time.onReceipt(at(-5))).toEqual(at(2));
    expect(time.onReceipt(at(3))).toEqual(at(3));
  });

  it('what was seen once is not unseen, here or by the next process', () => {
    const { time, at, pass } = begin();
    time.began(at(0), at(0));
    expect(time.inForce(at(30))).toEqual(at(30));
    expect(time.inForce(at(1))).toEqual(at(30));
    pass(1);
    expect(time.inForce(at(1))).toEqual(at(31));
    const next = begin();
    next.time.restore(at(31).getTime());
    next.time.began(at(0), next.time.inForce(at(1)));
    expect(next.time.inForce(at(1))).toEqual(at(31));
  });

  it('a clock that was far ahead spoils nothing that comes, and is forgotten when a later state is in force', () => {
    const { time, at } = begin();
    time.began(at(0), at(0));
    expect(time.inForce(at(100_000))).toEqual(at(100_000));
    expect(time.onReceipt(at(1))).toEqual(at(1));
    time.began(at(1), at(1));
    expect(time.inForce(at(2))).toEqual(at(2));
  });

  it('the same state again makes nothing younger', () => {
    const { time, at } = begin();
    time.began(at(0), at(0));
    time.inForce(at(30));
    time.began(at(0), at(0));
    time.began(at(-1), at(0));
    expect(time.inForce(at(0))).toEqual(at(30));
  });

  it('a clock that says nothing gives no time', () => {
    const { time, at } = begin();
    time.began(at(0), at(0));
    expect(time.inForce(new Date(Number.NaN)).getTime()).toBeNaN();
  });

  it('wherever the clock is set, it never goes back and never slower than the clock that no one can set', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: -1e5, max: 1e5 }), fc.integer({ min: 0, max: 50 })), { maxLength: 20 }), (steps) => {
        const { time, at, hours, pass } = begin();
        time.began(at(0), at(0));
        let [last, passed] = [0, 0];
        for (const [clock, wait] of steps) {
          pass(wait);
          passed += wait;
          const now = hours(time.inForce(at(clock)));
          expect(now).toBeGreaterThanOrEqual(Math.max(clock, last + wait, passed));
          expect(hours(time.onReceipt(at(clock)))).toBe(Math.max(clock, passed));
          last = now;
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
