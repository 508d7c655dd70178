import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import { MAX_HEADERS, type HistoryFrame } from '@cordon/policy/protocol/history.ts';
import { chainOf, forkOf } from '@cordon/policy/trust/_chain.ts';
import { after, keyNamed } from '@cordon/policy/trust/_world.ts';
import { signCompact } from '@cordon/policy/trust/envelope.ts';
import { walkOf, type Link } from '@cordon/policy/trust/history.ts';
import { checkedFile } from '../checked-file.ts';
import { createHistory, KeptHistory, type History } from './history.ts';

const key = keyNamed('checkpoints');
const sign = (links: readonly Link[]): Promise<Link[]> =>
  Promise.all(links.map(async (link) => ({ ...link, jws: await signCompact(link.payload, 'cordon-checkpoint+jws', key) })));
const chain = await sign(chainOf(60));
const other = await sign(forkOf(chainOf(60), 20));
const at = (number: number, of: readonly Link[] = chain): Link => of[number] ?? chain[0] ?? fail();
const fail = (): never => {
  throw new Error('no checkpoint');
};

let file: string;
beforeEach(() => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-history-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  file = path.join(folder, 'history.json');
});

/** A device and the control plane that it asks, which answers by its own history. */
const device = (server: readonly Link[] = chain) => {
  const sent: UpFrame[] = [];
  const world = { sent, connected: true, server, history: undefined as History | undefined };
  const answer = (frame: UpFrame): void => {
    if (frame.type !== 'history') return;
    const headers = walkOf(frame.from, frame.to, MAX_HEADERS).map((number) => at(number, world.server).jws);
    world.history?.onAnswer({ type: 'history', digest: frame.digest, to: frame.to, headers } satisfies HistoryFrame);
  };
  world.history = createHistory({
    file: checkedFile(file, KeptHistory),
    send: (frame) => {
      if (!world.connected) return false;
      sent.push(frame);
      queueMicrotask(() => answer(frame));
      return true;
    },
    keys: () => Promise.resolve(new Map([[key.kid, key.jwk]])),
    now: () => after(0),
    log: () => undefined,
  });
  return { ...world, history: world.history, world };
};
const told = (sent: readonly UpFrame[]): UpFrame[] => sent.filter(({ type }) => type === 'finding');

describe('the history of checkpoints on a device', () => {
  it('asks for what it missed once it is connected, and says nothing of what fits', async () => {
    const { history, world, sent } = device();
    world.connected = false;
    history.observe([at(3), at(3)]);
    history.observe([at(40), at(3)]);
    expect([history.status().walking, sent]).toEqual([true, []]);
    world.connected = true;
    history.onConnected();
    await expect.poll(() => history.status().walking).toBe(false);
    expect(history.status()).toMatchObject({ newest: { number: 40, audit: { seq: 140 } }, findings: [] });
    expect(told(sent)).toEqual([]);
  });

  it('keeps a finding, tells it at every connection, and knows it after a restart', async () => {
    const first = device(other);
    first.history.observe([at(30)]);
    first.history.observe([at(50, other), at(30)]);
    await expect
      .poll(() => first.history.status().findings)
      .toMatchObject([{ code: 'history.fork', earlier: { number: 30 }, later: { number: 30 } }]);
    expect(told(first.sent)).toEqual([{ type: 'finding', code: 'history.fork', earlier: at(30).jws, later: at(30, other).jws }]);
    const second = device(other);
    expect(second.history.damaged).toBe(false);
    expect(second.history.status().findings).toEqual(first.history.status().findings);
    second.history.begin([at(50, other)]);
    expect(told(second.sent)).toEqual([]);
    second.history.onConnected();
    second.history.onConnected();
    expect(told(second.sent)).toHaveLength(2);
    // The same two once more are nothing new.
    second.history.observe([at(50, other)]);
    expect(second.history.status().findings).toHaveLength(1);
  });

  it('walks after a restart what was not walked before it, without having stored more than where it stood', async () => {
    const first = device();
    first.world.connected = false;
    first.history.observe([at(5)]);
    first.history.observe([at(25, other)]);
    const second = device(other);
    second.history.begin([at(25, other), at(5)]);
    await expect.poll(() => second.history.status().walking).toBe(false);
    expect(second.history.status().findings).toEqual([]);
    const third = device(chain);
    third.history.begin([at(25, other)]);
    third.history.observe([at(26)]);
    await expect.poll(() => third.history.status().findings).toMatchObject([{ code: 'history.fork' }]);
  });

  it('calls headers that are not signed, or not those that were asked for, withheld', async () => {
    for (const wrong of [other, chainOf(60)]) {
      fs.rmSync(file, { force: true });
      const { history, sent } = device(wrong);
      history.observe([at(10)]);
      history.observe([at(50)]);
      await expect
        .poll(() => history.status().findings)
        .toMatchObject([{ code: 'history.withheld', earlier: { number: 10 }, later: { number: 50 } }]);
      expect(told(sent)).toHaveLength(1);
    }
  });

  it('is known to be damaged whichever byte of it is flipped', () => {
    device().history.observe([at(5)]);
    const written = fs.readFileSync(file);
    for (let i = 0; i < written.length; i += 7) {
      const spoiled = Buffer.from(written);
      spoiled[i] = (spoiled[i] ?? 0) ^ 1;
      fs.writeFileSync(file, spoiled);
      expect(device().history.damaged, `byte ${i}`).toBe(true);
    }
    fs.writeFileSync(file, written);
    expect(device().history.damaged).toBe(false);
  });

  it('goes on where the disk takes nothing, and holds no more findings than it can tell', async () => {
    fs.mkdirSync(file);
    const { history } = device();
    expect(history.damaged).toBe(true);
    for (let i = 1; i < 40; i += 1) history.observe([at(20 + (i % 30), i % 2 === 0 ? chain : other)]);
    await expect.poll(() => history.status().findings.length).toBe(16);
  });
});
