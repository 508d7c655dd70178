import { describe, expect, it } from 'vitest';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { createSender } from './sender.ts';

const batch = (seqTo: number): TelemetryFrame => ({
  type: 'telemetry',
  boot: 'boot_a',
  seqFrom: seqTo,
  seqTo,
  prev: '',
  hash: '',
  events: [],
});

/** A sender with a spool of numbered batches, a connection that can be closed, and a clock that stands still. */
const setUp = (): {
  sender: ReturnType<typeof createSender>;
  sent: number[];
  did: string[];
  world: { connected: boolean; waiting: number[]; time: number };
} => {
  const world = { connected: true, waiting: [1, 2, 3], time: 0 };
  const sent: number[] = [];
  const did: string[] = [];
  const sender = createSender({
    spool: {
      next: () => (world.waiting[0] === undefined ? undefined : batch(world.waiting[0])),
      acknowledge: (_boot, seq) => void (world.waiting[0] === seq && world.waiting.shift()),
      rechain: () => void did.push('rechain'),
      giveUp: () => void did.push('giveUp'),
    },
    send: ({ seqTo }) => {
      if (world.connected) sent.push(seqTo);
      return world.connected;
    },
    clock: () => world.time,
  });
  return { sender, sent, did, world };
};

describe('the sender', () => {
  it('sends one batch at a time, each once, the next when the one before is acknowledged', () => {
    const { sender, sent } = setUp();
    sender.flush();
    sender.flush();
    expect(sent).toEqual([1]);
    sender.onAck('boot_a', 1);
    sender.flush();
    expect(sent).toEqual([1, 2]);
  });

  it('sends again after a new connection, and waits without one', () => {
    const { sender, sent, world } = setUp();
    world.connected = false;
    sender.flush();
    expect(sent).toEqual([]);
    world.connected = true;
    sender.flush();
    sender.onConnected();
    expect(sent).toEqual([1, 1]);
  });

  it('sends again what could not be stored, later and later, and never sooner than after a pause', () => {
    const { sender, sent, did, world } = setUp();
    sender.flush();
    for (let i = 0; i < 20; i += 1) {
      sender.onProblem('telemetry.unavailable');
      sender.flush();
      expect(sent).toHaveLength(i + 1);
      world.time += 60_000;
      sender.flush();
      expect(sent).toHaveLength(i + 2);
    }
    expect(did).toEqual([]);
  });

  it('begins a new chain where the old one is refused twice, and gives up what is refused for good', () => {
    for (const [code, what] of [
      ['telemetry.gap', 'rechain'],
      ['telemetry.fork', 'rechain'],
      ['telemetry.refused', 'giveUp'],
    ] as const) {
      const { sender, did } = setUp();
      sender.flush();
      sender.onProblem(code);
      expect(did).toEqual([]);
      sender.onProblem(code);
      expect(did).toEqual([what]);
    }
  });

  it('what was said before of something else does not count as said again', () => {
    const { sender, did } = setUp();
    sender.flush();
    for (const code of [
      'telemetry.unavailable',
      'telemetry.gap',
      'telemetry.unavailable',
      'telemetry.fork',
      'telemetry.gap',
      'telemetry.refused',
    ])
      sender.onProblem(code);
    expect(did).toEqual([]);
    sender.onProblem('telemetry.refused');
    expect(did).toEqual(['giveUp']);
  });

  it('a refusal that heals by itself changes nothing', () => {
    const { sender, did, world } = setUp();
    sender.flush();
    sender.onProblem('telemetry.gap');
    world.time += 60_000;
    sender.flush();
    sender.onAck('boot_a', 1);
    sender.onProblem('telemetry.gap');
    sender.onProblem('db.unavailable');
    expect(did).toEqual([]);
  });
});
