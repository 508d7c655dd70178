import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { egressOf, lookupIn, testWay, type SaidDecision, type TestWay } from './_way.ts';
import { createProxy } from './proxy.ts';

let folder: string;
let socketPath: string;
let proxy: http.Server;
let made: TestWay;
let sockets: WebSocketServer;
let raw: net.Server;
let ports: { web: number; raw: number };
let answerRaw: (request: string) => string;
let decisions: SaidDecision[] = [];

const rulesFor = (host: string) =>
  egressOf(
    `allow: { network: { hosts: [{ host: ${host}, ports: [${ports.web}, ${ports.raw}], private: true }, { host: paths.example, ports: [${ports.web}], private: true, methods: [GET], paths: [/live] }] } }`,
  );

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-ws-'));
  socketPath = path.join(folder, 'proxy.sock');
  sockets = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: ({ req }: { req: http.IncomingMessage }) => req.url !== '/closed',
  });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await once(sockets, 'listening');
  raw = net.createServer((socket) => void socket.once('data', (data) => socket.write(answerRaw(data.toString('latin1')))));
  raw.listen(0, '127.0.0.1');
  await once(raw, 'listening');
  ports = { web: (sockets.address() as net.AddressInfo).port, raw: (raw.address() as net.AddressInfo).port };
  const names = { 'live.example': ['127.0.0.1'], 'paths.example': ['127.0.0.1'], 'other.example': ['127.0.0.1'] };
  const lookup = lookupIn(names, () => undefined);
  made = testWay(rulesFor('live.example'), lookup, (decision) => decisions.push(decision));
  proxy = createProxy(made.way).listen(socketPath);
  await once(proxy, 'listening');
});
beforeEach(() => {
  made.use(rulesFor('live.example'));
  decisions = [];
});
afterAll(() => {
  proxy.closeAllConnections();
  for (const client of sockets.clients) client.terminate();
  for (const server of [proxy, sockets, raw]) server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A client that asks the proxy in plain HTTP, by the whole address. */
const client = (host: string, place = '/', port = ports.web): WebSocket =>
  new WebSocket(`ws://${host}:${port}${place}`, {
    agent: Object.assign(new http.Agent(), { createConnection: () => net.connect(socketPath) }),
    finishRequest: (request) => {
      request.path = `http://${host}:${port}${place}`;
      request.end();
    },
  });
const opened = async (socket: WebSocket): Promise<string> => {
  const outcome = Promise.withResolvers<string>();
  socket.once('open', () => outcome.resolve('open'));
  socket.once('unexpected-response', (_request, response) => outcome.resolve(String(response.statusCode)));
  socket.once('error', (error) => outcome.resolve(error.message));
  return outcome.promise;
};
const say = async (bytes: string): Promise<string> => {
  const socket = net.connect(socketPath);
  socket.write(bytes);
  return text(socket);
};
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const asking = (more = '', rest = ''): string =>
  `GET http://live.example:${ports.raw}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n${rest}`;
const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

describe('a WebSocket in plain HTTP', () => {
  it('is a tunnel once the host has agreed, and carries large messages both ways', async () => {
    const socket = client('live.example');
    expect(await opened(socket)).toBe('open');
    const big = Buffer.alloc(5_000_000, 7);
    const back = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(big);
    expect(Buffer.compare((await back)[0], big)).toBe(0);
    socket.close();
    await once(socket, 'close');
  });

  it('is judged by host, method and path like any request', async () => {
    expect(await opened(client('other.example'))).toBe('403');
    expect(await opened(client('paths.example', '/'))).toBe('403');
    expect(await opened(client('paths.example', '/live/x'))).toBe('open');
  });

  it('that the host refuses is refused with the host’s own answer', async () => {
    expect(await opened(client('live.example', '/closed'))).toBe('401');
  });

  it('is cut at once by rules that do not allow it any more', async () => {
    const socket = client('live.example');
    await opened(socket);
    const closed = once(socket, 'close');
    made.use(rulesFor('other.example'));
    await closed;
    expect(decisions.at(-1)).toMatchObject({ verdict: 'denied', code: 'egress.cut', host: 'live.example' });
  });

  it('no other agreement opens a tunnel', async () => {
    for (const answer of [
      `Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`,
      'Upgrade: websocket\r\nConnection: Upgrade\r\n',
      'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n',
    ]) {
      answerRaw = () => `HTTP/1.1 101 Switching Protocols\r\n${answer}\r\nsecret`;
      const said = await say(asking());
      expect(said).toMatch(/^HTTP\/1\.1 502 /);
      expect(said).not.toContain('secret');
    }
  });

  it('bytes that were sent before the host agreed reach nobody', async () => {
    const seen: string[] = [];
    answerRaw = (request) => {
      seen.push(request);
      return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
    };
    expect(await say(asking('', 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n'))).toMatch(/^HTTP\/1\.1 400 /);
    expect(seen).toEqual([]);
  });

  it.each([
    ['a body', 'Content-Length: 5\r\n', 'hello'],
    ['a chunked body', 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'],
  ])('with %s is no upgrade: it goes on as a request without one', async (_name, more, rest) => {
    answerRaw = (request) => (/upgrade/i.test(request) ? '' : 'HTTP/1.1 204 No Content\r\n\r\n');
    expect(await say(asking(more, rest))).toMatch(/^HTTP\/1\.1 204 /);
  });
});
