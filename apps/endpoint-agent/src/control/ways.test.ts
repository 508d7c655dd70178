import { describe, expect, it } from 'vitest';
import { createWays } from './ways.ts';

const HOUR = 3_600_000;

describe('the way of the channel', () => {
  it('is a WebSocket, until two in a row did not open', () => {
    const ways = createWays();
    expect(ways.next(0)).toBe('socket');
    ways.failed(10);
    expect(ways.next(20)).toBe('socket');
    ways.worked();
    ways.failed(30);
    expect(ways.next(40)).toBe('socket');
    ways.failed(50);
    expect(ways.next(60)).toBe('tunnel');
  });

  it('is tried again once a tunnel has been used for a while, and then goes back to it at once', () => {
    const ways = createWays();
    ways.failed(0);
    ways.failed(0);
    expect(ways.next(0.25 * HOUR)).toBe('tunnel');
    const later = ways.stay(0);
    expect(ways.next(later)).toBe('socket');
    ways.failed(later);
    expect(ways.next(later + 1000)).toBe('tunnel');
    expect(ways.next(later + ways.stay(0.999))).toBe('socket');
    ways.worked();
    expect(ways.next(later + 2 * HOUR)).toBe('socket');
  });

  it('is a WebSocket where the control plane knows no tunnels', () => {
    const ways = createWays();
    ways.failed(0);
    ways.failed(0);
    ways.absent();
    expect(ways.next(1)).toBe('socket');
  });

  it('lasts between 45 and 75 minutes, so that devices do not try together', () => {
    const { stay } = createWays();
    expect([stay(0), stay(0.5), stay(0.999)].map((ms) => Math.round(ms / 60_000))).toEqual([45, 60, 75]);
  });
});
