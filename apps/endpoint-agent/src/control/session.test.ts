import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { MAX_FRAME_DOWN } from '@cordon/policy/protocol/channel.ts';
import { SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { STRAIGHT } from '../network/network.ts';
import { openSession } from './session.ts';
import { createWays } from './ways.ts';

/** A server that gives every device a session, and what it does with one. */
const serve = async (onConnection: (channel: WebSocket, request: http.IncomingMessage) => void): Promise<string> => {
  const later = new Date(Date.now() + 60_000).toISOString();
  const server = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify(
        request.url === '/agent/v1/session' ? { ticket: 'a'.repeat(43), expiresAt: later } : { nonce: 'b'.repeat(43), expiresAt: later },
      ),
    );
  });
  const channels = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, handleProtocols: () => SUBPROTOCOL });
  channels.on('connection', onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const channel of channels.clients) channel.terminate();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const connect = async (server: string): Promise<WebSocket> => {
  const { socket } = await openSession({
    enrollment: { server, org: 'org_1', device: `dev_${'d'.repeat(20)}` },
    key: keyPairFromSeed(randomBytes(32)),
    joins: { attempt: () => ({ count: 1, last: 'a', next: 'b' }), raise: () => false, confirmed: () => undefined },
    network: STRAIGHT,
    ways: createWays(),
    clock: () => 0,
    random: () => 0,
    log: () => undefined,
    signal: new AbortController().signal,
  });
  return socket;
};

it('a message that inflates beyond the limit ends the channel before it is whole', async () => {
  const socket = await connect(await serve((channel) => channel.send('x'.repeat(50 * MAX_FRAME_DOWN))));
  const failed = once(socket, 'error');
  socket.resume();
  const [error] = (await failed) as [Error & { code: string }];
  expect(error.code).toBe('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

it('what comes with the upgrade is heard by whoever listens, however late', async () => {
  const socket = await connect(await serve((channel) => channel.send('welcome')));
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  const heard = once(socket, 'message');
  socket.resume();
  expect(String((await heard)[0])).toBe('welcome');
  socket.terminate();
});

it('what is sent is never compressed, however long it is', async () => {
  const text = 'y'.repeat(100_000);
  const received = Promise.withResolvers<{ readonly text: string; readonly bytes: number }>();
  const server = await serve((channel, { socket: raw }) =>
    channel.on('message', (data) => received.resolve({ text: (data as Buffer).toString(), bytes: raw.bytesRead })),
  );
  const socket = await connect(server);
  expect(socket.extensions).toContain('permessage-deflate');
  socket.send(text);
  expect((await received.promise).text).toBe(text);
  expect((await received.promise).bytes).toBeGreaterThanOrEqual(text.length);
  socket.terminate();
});
