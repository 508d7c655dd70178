/** What comes bit by bit, and what multiplexes: events of a server, HTTP/2 inside a tunnel, a body that waits for leave. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateFor, type Certificate } from '../../tests/_certificate.ts';
import { asking, statusOf } from './_rig.ts';
import { egressOf, lookupIn, testWay } from './_way.ts';
import { createProxy } from './proxy.ts';

let folder: string;
let socketPath: string;
let proxy: http.Server;
let certificate: Certificate;
let web: http.Server;
let secure: http2.Http2SecureServer;
let ports: { web: number; secure: number };
let onRequest: http.RequestListener = (_request, response) => void response.end();

const portOf = async (server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
};

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-streams-'));
  socketPath = path.join(folder, 'proxy.sock');
  certificate = certificateFor('host.example');
  web = http.createServer((request, response) => onRequest(request, response));
  secure = http2.createSecureServer({ key: certificate.key, cert: certificate.cert });
  secure.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/big') stream.resume().end(Buffer.alloc(300_000, 1));
    else stream.pipe(stream);
  });
  ports = { web: await portOf(web), secure: await portOf(secure) };
  const rules = egressOf(`allow: { network: { hosts: [{ host: host.example, ports: [${ports.web}, ${ports.secure}], private: true }] } }`);
  const lookup = lookupIn({ 'host.example': ['127.0.0.1'] }, () => undefined);
  proxy = createProxy(testWay(rules, lookup, () => undefined).way).listen(socketPath);
  await once(proxy, 'listening');
});
afterAll(() => {
  proxy.closeAllConnections();
  web.closeAllConnections();
  for (const server of [proxy, web, secure]) server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const url = (): string => `http://host.example:${ports.web}/`;

describe('plain HTTP', () => {
  it('passes events on as they come', async () => {
    let more: ((words: string) => void) | undefined;
    onRequest = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      more = (words) => void response.write(words);
    };
    const [response] = (await once(http.get({ socketPath, path: url(), agent: false }), 'response')) as [http.IncomingMessage];
    for (const words of ['data: 1\n\n', 'data: 2\n\n']) {
      more?.(words);
      expect(String(((await once(response, 'data')) as [Buffer])[0])).toBe(words); // before the host has ended
    }
    response.destroy();
  });

  it('gives leave to a client that asks for it before it sends', async () => {
    onRequest = (request, response) =>
      void text(request).then((body) => response.end(`${body} ${request.headers.expect ?? 'no more asking'}`));
    const request = http.request({
      socketPath,
      path: url(),
      method: 'PUT',
      agent: false,
      headers: { expect: '100-continue', 'content-length': 4 },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('body');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(await text(response)).toBe('body no more asking');
  });
});

describe('a tunnel', () => {
  it('carries HTTP/2 with many streams at once', async () => {
    const socket = net.connect(socketPath);
    socket.write(asking(`host.example:${ports.secure}`));
    expect(statusOf(String(((await once(socket, 'data')) as [Buffer])[0]))).toBe(200);
    const client = http2.connect('https://host.example', {
      createConnection: () => tls.connect({ socket, servername: 'host.example', ca: certificate.cert, ALPNProtocols: ['h2'] }),
    });
    client.on('error', () => undefined);
    const ask = async (place: string, body: string): Promise<number> => {
      const stream = client.request({ ':path': place, ':method': 'POST' });
      stream.end(body);
      return (await text(stream)).length;
    };
    const lengths = await Promise.all(Array.from({ length: 30 }, (_, i) => ask(i % 3 === 0 ? '/big' : '/', 'x'.repeat(i * 1000))));
    expect(lengths).toEqual(Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? 300_000 : i * 1000)));
    client.destroy();
  });
});
