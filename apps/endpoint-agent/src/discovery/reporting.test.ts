import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { Inventory } from '@cordon/policy/protocol/inventory.ts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createInventoryReporter, type InventoryReporter } from './reporting.ts';

describe('the inventory is told', () => {
  let inventory: Inventory | undefined;
  let sent: UpFrame[];
  let connected: boolean;
  let reporter: InventoryReporter;
  const holding = (leftOut: number): Inventory => ({ agents: [], servers: [], uncontained: [], leftOut });
  const told = (): number[] => sent.flatMap((frame) => (frame.type === 'inventory' ? [frame.inventory.leftOut] : []));
  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    connected = true;
    inventory = undefined;
    reporter = createInventoryReporter({
      inventory: () => inventory,
      send: (frame) => {
        if (connected) sent.push(frame);
        return connected;
      },
      now: () => new Date(),
      clock: () => Date.now(),
      log: () => undefined,
    });
  });
  afterEach(() => {
    reporter.stop();
    vi.useRealTimers();
  });

  it('when there is one, when it changed, and not when it is the same', () => {
    reporter.onConnected();
    expect(told()).toEqual([]);
    inventory = holding(1);
    reporter.changed();
    vi.advanceTimersByTime(0);
    reporter.changed();
    vi.advanceTimersByTime(120_000);
    expect(told()).toEqual([1]);
    inventory = holding(2);
    reporter.changed();
    vi.advanceTimersByTime(120_000);
    expect(told()).toEqual([1, 2]);
  });

  it('once a minute at most, the newest of what there was', () => {
    inventory = holding(0);
    reporter.onConnected();
    for (let i = 1; i <= 50; i += 1) {
      inventory = holding(i);
      reporter.changed();
      vi.advanceTimersByTime(1000);
    }
    expect(told()).toEqual([0]);
    vi.advanceTimersByTime(10_000);
    expect(told()).toEqual([0, 50]);
  });

  it('again after each connection, and what could not be sent then', () => {
    inventory = holding(1);
    connected = false;
    reporter.changed();
    vi.advanceTimersByTime(0);
    connected = true;
    reporter.onConnected();
    reporter.onConnected();
    expect(told()).toEqual([1, 1]);
  });

  it('not any more to a control plane that does not know it', () => {
    inventory = holding(1);
    reporter.onProblem('channel.frame');
    reporter.onConnected();
    reporter.onProblem('telemetry.gap');
    reporter.onConnected();
    expect(told()).toEqual([1, 1]);
    reporter.onProblem('channel.frame');
    reporter.onConnected();
    inventory = holding(2);
    reporter.changed();
    vi.advanceTimersByTime(120_000);
    expect(told()).toEqual([1, 1]);
  });
});
