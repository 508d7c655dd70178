import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createDeadline } from './deadline.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

it('is over once, when its time is', () => {
  const over = vi.fn<() => void>();
  createDeadline(over).set(1000);
  vi.advanceTimersByTime(999);
  expect(over).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100_000);
  expect(over).toHaveBeenCalledTimes(1);
});

it('is counted from its making when it is set anew, sooner, later, or not at all', () => {
  const over = vi.fn<() => void>();
  const deadline = createDeadline(over);
  deadline.set(10_000);
  vi.advanceTimersByTime(4000);
  deadline.set(20_000);
  vi.advanceTimersByTime(15_000);
  deadline.set(undefined);
  vi.advanceTimersByTime(15_000);
  expect(over).not.toHaveBeenCalled();
  deadline.set(40_000);
  vi.advanceTimersByTime(5999);
  expect(over).not.toHaveBeenCalled();
  deadline.set(1);
  vi.advanceTimersByTime(0);
  expect(over).toHaveBeenCalledTimes(1);
  deadline.set(1);
  vi.runAllTimers();
  expect(over).toHaveBeenCalledTimes(1);
});

it('may be further away than a timer can wait', () => {
  const over = vi.fn<() => void>();
  const days = 24 * 3_600_000;
  createDeadline(over).set(60 * days);
  vi.advanceTimersByTime(59 * days);
  expect(over).not.toHaveBeenCalled();
  vi.advanceTimersByTime(days);
  expect(over).toHaveBeenCalledTimes(1);
});

it('is never over once it was cancelled', () => {
  const over = vi.fn<() => void>();
  const deadline = createDeadline(over);
  deadline.set(10);
  deadline.cancel();
  deadline.set(10);
  vi.runAllTimers();
  expect(over).not.toHaveBeenCalled();
});
