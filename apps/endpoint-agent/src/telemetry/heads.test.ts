import { describe, expect, it } from 'vitest';
import { createHeads, type Heads } from './heads.ts';
import type { UnsignedHead } from './spool.ts';

const HASH = 'a'.repeat(64);
const MINUTE = 60_000;

/** Heads of a spool that a test writes, a connection that can be closed, and a clock that stands still. */
const setUp = (): {
  heads: Heads;
  sent: string[];
  said: string[];
  world: { connected: boolean; time: number; fails: boolean; unsigned: UnsignedHead[] };
} => {
  const world = { connected: true, time: 0, fails: false, unsigned: [] as UnsignedHead[] };
  const sent: string[] = [];
  const said: string[] = [];
  const heads = createHeads({
    spool: { heads: () => world.unsigned },
    sign: ({ boot, seq }) => (world.fails ? Promise.reject(new Error('no key')) : Promise.resolve(`signed ${boot} ${seq}`)),
    send: ({ head, boot, seq, hash }) => {
      expect([head, hash]).toEqual([`signed ${boot} ${seq}`, HASH]);
      if (world.connected) sent.push(`${boot} ${seq}`);
      return world.connected;
    },
    clock: () => world.time,
    log: (message) => said.push(message),
  });
  return { heads, sent, said, world };
};
const head = (boot: string, seq: number, unsigned: number, ended = false): UnsignedHead => ({ boot, seq, hash: HASH, unsigned, ended });

describe('heads of chains', () => {
  it('are signed after so many events, after so many minutes, and when their chain has ended', async () => {
    const { heads, sent, world } = setUp();
    world.unsigned = [head('boot_b', 499, 499)];
    await heads.look();
    expect(sent).toEqual([]);
    world.unsigned = [head('boot_b', 500, 500)];
    await heads.look();
    world.unsigned = [head('boot_a', 7, 1, true), head('boot_b', 500, 500)];
    await heads.look();
    expect(sent).toEqual(['boot_b 500', 'boot_a 7']);
    world.unsigned = [head('boot_b', 501, 1)];
    world.time = 10 * MINUTE - 1;
    await heads.look();
    world.time = 10 * MINUTE;
    await heads.look();
    expect(sent.slice(2)).toEqual(['boot_b 501']);
  });

  it('are sent once, again after a new connection, and not at all without one', async () => {
    const { heads, sent, world } = setUp();
    world.unsigned = [head('boot_b', 900, 900)];
    world.connected = false;
    await heads.look();
    expect(sent).toEqual([]);
    world.connected = true;
    for (let i = 0; i < 3; i += 1) await heads.look();
    expect(sent).toEqual(['boot_b 900']);
    heads.onConnected();
    await heads.look();
    expect(sent).toEqual(['boot_b 900', 'boot_b 900']);
  });

  it('one that waits for its answer is not sent again because another is due', async () => {
    const { heads, sent, world } = setUp();
    world.unsigned = [head('boot_b', 3, 3), head('boot_a', 7, 1, true)];
    await heads.finish();
    world.unsigned = [head('boot_b', 3, 3), head('boot_a', 7, 1, true), head('boot_c', 600, 600)];
    await heads.look();
    await heads.finish();
    expect(sent).toEqual(['boot_b 3', 'boot_a 7', 'boot_c 600']);
  });

  it('at the end everything is signed that is not yet, however little it is', async () => {
    const { heads, sent, world } = setUp();
    world.unsigned = [head('boot_b', 2, 2)];
    await heads.look();
    expect(sent).toEqual([]);
    await heads.finish();
    expect(sent).toEqual(['boot_b 2']);
  });

  it('a signature that fails is said, and the next one is made', async () => {
    const { heads, sent, said, world } = setUp();
    world.unsigned = [head('boot_b', 600, 600)];
    world.fails = true;
    await heads.look();
    world.fails = false;
    await heads.look();
    expect([said.length, sent]).toEqual([1, ['boot_b 600']]);
  });
});
