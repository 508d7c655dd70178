/** Whatever a run sends to its proxy, and however it and the hosts break off: the process stays, and serves on. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { egressOf } from './_way.ts';
import { helloFor } from './_rig.ts';
import { startEgress, type Egress } from './egress.ts';

let folder: string;
let egress: Egress;
let server: net.Server;
let socketPath: string;
let port: number;
let hello: Buffer;
let deaths = 0;
/** Connections that arrived and are open. */
const hosts = new Set<net.Socket>();
/** What the host says and how it ends, for the next connections. */
let behave: (socket: net.Socket) => void = () => undefined;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-fuzz-'));
  hello = await helloFor('host.example');
  server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    hosts.add(socket);
    socket.once('close', () => hosts.delete(socket));
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as net.AddressInfo);
  egress = await startEgress({
    runtimeDir: folder,
    hosts: { 'host.example': '127.0.0.1' },
    onDecision: () => undefined,
    onDeath: () => (deaths += 1),
  });
  const rules = egressOf(
    `allow: { network: { hosts: [{ host: host.example, ports: [443, ${port}], private: true }] }, identity: { hosts: [host.example] } }`,
  );
  ({ socket: socketPath } = await egress.open('run_fuzz', rules, egress.account));
});
afterAll(() => {
  egress.stop();
  server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const url = (): string => `http://host.example:${port}/`;
const TOKENS: readonly (() => string)[] = [
  'GET ',
  'POST ',
  'CONNECT ',
  'OPTIONS ',
  'TRACE ',
  ' HTTP/1.1\r\n',
  ' HTTP/1.0\r\n',
  ' HTTP/2.0\r\n',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\0',
  'Host: x\r\n',
  'Host: \r\n',
  'Content-Length: 5\r\n',
  'Content-Length: -1\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Connection: close, upgrade\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\n',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
  'Upgrade: h2c\r\n',
  'Expect: nothing\r\n',
  'Trailer: x\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  'fffffffffffffffff\r\n',
  'zz\r\n',
  '/',
  '*',
  'http://',
  'http://[',
  'host.example:443',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
].map((token) => () => token);
const words = fc
  .array(
    fc.oneof(
      fc.constantFrom(...TOKENS, url, () => `host.example:${port}`),
      fc.string({ maxLength: 20 }).map((noise) => () => noise),
    ),
    {
      maxLength: 14,
    },
  )
  .map((parts) => Buffer.from(parts.map((part) => part()).join(''), 'latin1'));
/** Requests that get through to the host, so that its own misbehaviour is met. */
const through = fc.constantFrom(
  () => Buffer.from(`GET ${url()} HTTP/1.1\r\nHost: x\r\n\r\n`),
  () => Buffer.from(`POST ${url()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
  () => Buffer.concat([Buffer.from(`CONNECT host.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`), hello]),
  () => Buffer.from(`CONNECT host.example:${port} HTTP/1.1\r\nHost: x\r\n\r\nraw bytes`),
  () =>
    Buffer.from(
      `GET ${url()} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    ),
);
const replies = fc.constantFrom(
  '',
  'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nframe',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nmore',
  'HTTP/1.1 099 \r\n\r\n',
  'HTTP/1.1 200 OK\r\nX: \u0001\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
  '\u0016\u0003\u0001',
);
const endings = fc.constantFrom('end', 'destroy', 'reset', 'stay');
type Ending = 'end' | 'destroy' | 'reset' | 'stay';
const finish = (socket: net.Socket, how: Ending): void => {
  if (how === 'end') socket.end();
  if (how === 'destroy') socket.destroy();
  if (how === 'reset') socket.resetAndDestroy();
};

/** As soon as there is room for it in the queue of those that wait to be taken. */
const connect = async (): Promise<net.Socket> => {
  for (;;) {
    const socket = net.connect(socketPath);
    const code = await new Promise<string | undefined>((resolve) =>
      socket.once('connect', () => resolve(undefined)).once('error', (error: NodeJS.ErrnoException) => resolve(error.code)),
    );
    if (code === undefined) return socket.on('error', () => socket.destroy());
    if (code !== 'EAGAIN') throw new Error(`the proxy is not there: ${code}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const attempt = async (bytes: Buffer, pieces: number, client: Ending): Promise<void> => {
  const socket = await connect();
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.resume();
  finish(socket, client === 'reset' ? 'destroy' : client);
  if (client === 'stay') socket.destroy();
};

const serves = async (): Promise<void> => {
  behave = (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'));
  const socket = await connect();
  const request = http.get({ createConnection: () => socket, path: url() });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  expect(await text(response)).toBe('ok');
};

describe('the egress process', () => {
  it('outlives every request, every break and every answer', async () => {
    const before = egress.pid();
    const open = (): number => fs.readdirSync(`/proc/${before}/fd`).length;
    await serves();
    const idle = open();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          words,
          through.map((make) => make),
        ),
        fc.integer({ min: 1, max: 5 }),
        endings,
        replies,
        endings,
        async (sent, pieces, client, reply, host) => {
          behave = (socket) => {
            socket.once('data', () => socket.write(reply, () => finish(socket, host)));
          };
          await attempt(typeof sent === 'function' ? sent() : sent, pieces, client);
        },
      ),
      { numRuns: LAW_RUNS * 5 },
    );
    await serves();
    expect([deaths, egress.pid()]).toEqual([0, before]);
    // Who has ended only its own half is still heard by the other; when both are gone nothing is left.
    for (const socket of hosts) socket.destroy();
    await expect.poll(open, { timeout: 30_000 }).toBeLessThanOrEqual(idle);
  });

  it('outlives a run that goes away with everything open', async () => {
    behave = (socket) => void socket.write(Buffer.alloc(300_000));
    const rules = egressOf(`allow: { network: { hosts: [{ host: host.example, ports: [${port}], private: true }] } }`);
    for (let i = 0; i < 10; i += 1) {
      const { socket } = await egress.open(`run_${i}`, rules, egress.account);
      const clients = Array.from({ length: 10 }, () => {
        const client = net.connect(socket);
        client.on('error', () => client.destroy());
        client.write(`CONNECT host.example:${port} HTTP/1.1\r\nHost: x\r\n\r\nx`);
        return client;
      });
      egress.update(`run_${i}`, i % 2 === 0 ? rules : egressOf('allow: { network: { hosts: [] } }'));
      await egress.close(`run_${i}`);
      for (const client of clients) client.destroy();
    }
    await serves();
    expect(deaths).toBe(0);
  });
});
