import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MAX_TUNNEL_DOWN, MAX_TUNNEL_UP } from '@cordon/policy/protocol/tunnel.ts';
import { Tunnel } from './tunnel.ts';

const now = (): AbortSignal => AbortSignal.abort();
const bytes = (text: string): Buffer => Buffer.from(text);
const down = async (tunnel: Tunnel, offset: number): Promise<string> => {
  const answer = await tunnel.down(offset, now());
  return typeof answer === 'string' ? `fault ${answer}` : answer.toString();
};

describe('bytes for a device', () => {
  it('are given from where it stands, again as often as it asks from there', async () => {
    const tunnel = new Tunnel(0);
    tunnel.write('one ');
    tunnel.write('two ');
    expect(await down(tunnel, 0)).toBe('one two ');
    tunnel.write('three');
    expect(await down(tunnel, 0)).toBe('one two three');
    expect(await down(tunnel, 4)).toBe('two three');
    expect(await down(tunnel, 13)).toBe('');
    expect(await down(tunnel, 4)).toBe('fault gap');
    expect(await down(tunnel, 14)).toBe('fault gap');
  });

  it('come as soon as they are there, and nobody waits longer than he said', async () => {
    const tunnel = new Tunnel(0);
    const waiting = tunnel.down(0, new AbortController().signal);
    tunnel.write('now');
    expect((await waiting).toString()).toBe('now');
    const gone = new AbortController();
    const other = tunnel.down(3, gone.signal);
    gone.abort();
    expect((await other).toString()).toBe('');
  });

  it('of one question are not given to two: the older ends with nothing', async () => {
    const tunnel = new Tunnel(0);
    const [older, newer] = [tunnel.down(0, new AbortController().signal), tunnel.down(0, new AbortController().signal)];
    expect((await older).toString()).toBe('');
    tunnel.write('x');
    expect((await newer).toString()).toBe('x');
  });

  it('count as unsent until a question takes them, so that slow devices are known', async () => {
    const tunnel = new Tunnel(0);
    tunnel.write('state');
    expect(tunnel.writableLength).toBe(5);
    await down(tunnel, 0);
    expect(tunnel.writableLength).toBe(0);
  });

  it('are at most so many in one answer', async () => {
    const tunnel = new Tunnel(0);
    const all = Buffer.alloc(2 * MAX_TUNNEL_DOWN + 5, 'abc');
    tunnel.write(all);
    const parts: Buffer[] = [];
    for (let offset = 0; offset < all.length; offset += parts.at(-1)?.length ?? 0) {
      const part = await tunnel.down(offset, now());
      if (typeof part === 'string' || part.length === 0) throw new Error(`${offset}: ${String(part)}`);
      expect(part.length).toBeLessThanOrEqual(MAX_TUNNEL_DOWN);
      parts.push(part);
    }
    expect(Buffer.concat(parts).equals(all)).toBe(true);
  });

  it('are all given before it is over', async () => {
    const tunnel = new Tunnel(0);
    tunnel.end('goodbye');
    const finished = once(tunnel, 'finish');
    expect(await down(tunnel, 0)).toBe('goodbye');
    await finished;
    expect(await down(tunnel, 7)).toBe('fault ended');
    expect(tunnel.up(0, bytes('x'))).toBe('ended');
  });

  it('end with it when it is destroyed, also for who waits', async () => {
    const tunnel = new Tunnel(0);
    const waiting = tunnel.down(0, new AbortController().signal);
    tunnel.destroy();
    expect(await waiting).toBe('ended');
  });
});

describe('bytes from a device', () => {
  it('are taken once, whatever is repeated, and none is skipped', () => {
    const tunnel = new Tunnel(0);
    expect(tunnel.up(0, bytes('one '))).toBeUndefined();
    expect(tunnel.up(0, bytes('one '))).toBeUndefined();
    expect(tunnel.up(0, bytes('one two '))).toBeUndefined();
    expect(tunnel.up(9, bytes('x'))).toBe('gap');
    expect((tunnel.read() as Buffer).toString()).toBe('one two ');
  });

  it('that the channel does not read are limited', () => {
    const tunnel = new Tunnel(0);
    const piece = Buffer.alloc(MAX_TUNNEL_UP);
    let offset = 0;
    while (tunnel.up(offset, piece) === undefined) offset += piece.length;
    expect(tunnel.up(offset, piece)).toBe('full');
    expect(offset).toBe(4 * MAX_TUNNEL_UP);
    tunnel.read();
    expect(tunnel.up(offset, piece)).toBeUndefined();
  });
});

it('a network that loses and repeats requests changes no byte, in either direction', async () => {
  const step = fc.record({
    says: fc.uint8Array({ maxLength: 40 }),
    hears: fc.uint8Array({ maxLength: 40 }),
    lostAnswer: fc.boolean(),
    repeated: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const tunnel = new Tunnel(0);
      const heard: Buffer[] = [];
      tunnel.on('data', (chunk: Buffer) => heard.push(chunk));
      const [said, told, got]: [Buffer[], Buffer[], Buffer[]] = [[], [], []];
      let [sent, received] = [0, 0];
      for (const { says, hears, lostAnswer, repeated } of steps) {
        const up = Buffer.from(says);
        said.push(up);
        for (let i = 0; i < (repeated ? 3 : 1); i += 1) expect(tunnel.up(sent, up)).toBeUndefined();
        sent += up.length;
        if (hears.length > 0) tunnel.write(Buffer.from(hears));
        told.push(Buffer.from(hears));
        const answer = await tunnel.down(received, now());
        if (lostAnswer || typeof answer === 'string') continue;
        got.push(answer);
        received += answer.length;
      }
      const last = await tunnel.down(received, now());
      if (typeof last !== 'string') got.push(last);
      await new Promise(setImmediate);
      expect(Buffer.concat(heard).equals(Buffer.concat(said))).toBe(true);
      expect(Buffer.concat(got).equals(Buffer.concat(told))).toBe(true);
    }),
    { numRuns: LAW_RUNS },
  );
});
