import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { DOWN, UP } from '@cordon/policy/protocol/_samples.ts';
import type { DownFrame, UpFrame } from '@cordon/policy/protocol/channel.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import { expect, it, onTestFinished } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { startChannel, type Channel } from './channel.ts';

interface Other {
  readonly channel: Channel;
  readonly heard: DownFrame[];
  readonly log: string[];
  /** What the device said. */
  readonly said: UpFrame[];
  send(frame: object): void;
}

/** A device on a channel whose other side speaks a version of the protocol. */
const talk = async (protocol: number): Promise<Other> => {
  const [heard, log, said, stop]: [DownFrame[], string[], UpFrame[], AbortController] = [[], [], [], new AbortController()];
  const server = http.createServer();
  const channels = new WebSocketServer({ server });
  const connected = once(channels, 'connection') as Promise<[WebSocket]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const channel = startChannel({
    org: 'org_a',
    open: async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
      await once(socket, 'open');
      return { socket, protocol };
    },
    hello: () => UP.hello,
    onFrame: async (frame) => void heard.push(frame),
    onConnected: () => undefined,
    log: (message) => void log.push(message),
    signal: stop.signal,
    random: () => 0.999,
  });
  const [socket] = await connected;
  socket.on('message', (data) => void said.push(JSON.parse((data as Buffer).toString()) as UpFrame));
  onTestFinished(async () => {
    stop.abort();
    await channel.done;
    channels.close();
    server.close();
  });
  await expect.poll(() => said.length).toBe(1);
  return { channel, heard, log, said, send: (frame) => socket.send(JSON.stringify(frame)) };
};

const inventory = (): UpFrame => JSON.parse(JSON.stringify(UP.inventory)) as UpFrame;

it('an older control plane is told what it knows, and what it does not know is kept', async () => {
  const { channel, said } = await talk(1);
  expect(said[0]).toMatchObject({ type: 'hello', protocol: 1 });
  expect(channel.send(inventory())).toBe(false);
  expect(channel.send(UP.ack)).toBe(true);
  await expect.poll(() => said.map(({ type }) => type)).toEqual(['hello', 'ack']);
});

it('one of the same version is told everything', async () => {
  const { channel, said } = await talk(PROTOCOL);
  expect(said[0]).toMatchObject({ type: 'hello', protocol: PROTOCOL });
  expect(channel.send(inventory())).toBe(true);
});

it('a newer control plane is understood as far as this version goes, and the channel stays', async () => {
  const { channel, heard, log, send } = await talk(PROTOCOL);
  send({ ...DOWN['telemetry.ack'], reason: 'a newer version says why' });
  send({ type: 'advice', text: 'a newer version has kinds of its own' });
  send(DOWN.problem);
  await expect.poll(() => heard).toEqual([DOWN['telemetry.ack'], DOWN.problem]);
  expect(log.join('\n')).toContain('only newer versions know');
  expect(channel.connected()).toBe(true);
  send({ ...DOWN.problem, code: 7 });
  await expect.poll(channel.connected).toBe(false);
});
