import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import tls from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EgressRules } from '@cordon/policy/egress-rules.ts';
import { egressOf, lookupIn, testWay, type SaidDecision } from './_way.ts';
import { createProxy } from './proxy.ts';

/** The hosts of this test, as the name servers of the world would tell them. */
const NAMES: Record<string, readonly string[]> = {
  'allowed.example': ['127.0.0.1'],
  'split.example': ['127.0.0.1'],
  'public.example': ['127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'mixed.example': ['127.0.0.1', '192.0.2.1'],
  'down.example': ['127.0.0.1'],
  'reader.example': ['127.0.0.1'],
};

let folder: string;
let socketPath: string;
let proxy: http.Server;
/** A web server and a raw one, both on loopback, and what they saw. */
let web: http.Server;
let raw: net.Server;
let ports: { readonly web: number; readonly raw: number; readonly closed: number };
let onRequest: http.RequestListener;
let onRaw: (socket: net.Socket) => void;
let lookups: string[];
let decisions: SaidDecision[];
let rules: EgressRules;

const listen = async (server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
};

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-proxy-'));
  socketPath = path.join(folder, 'proxy.sock');
  web = http.createServer((request, response) => onRequest(request, response));
  raw = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    onRaw(socket);
  });
  const gone = net.createServer();
  ports = { web: await listen(web), raw: await listen(raw), closed: await listen(gone) };
  gone.close();
  const all = `ports: [443, ${ports.web}, ${ports.raw}, ${ports.closed}]`;
  rules = egressOf(
    `allow:
  network:
    hosts:
      - { host: allowed.example, ${all}, private: true }
      - { host: split.example, ${all}, private: true }
      - { host: down.example, ${all}, private: true }
      - { host: 127.0.0.1, ports: [${ports.raw}], private: true }
      - { host: public.example, ${all} }
      - { host: metadata.example, ${all} }
      - { host: mapped.example, ${all} }
      - { host: nat64.example, ${all} }
      - { host: 1.1.1.1 }
      - { host: reader.example, ${all}, private: true, methods: [GET, HEAD], paths: [/public] }
deny: { network: { hosts: [{ host: denied.example }] } }`,
  );
  const lookup = lookupIn(NAMES, (host) => lookups.push(host));
  proxy = createProxy(testWay(rules, lookup, (decision) => decisions.push(decision)).way);
  proxy.listen(socketPath);
  await once(proxy, 'listening');
});
beforeEach(() => {
  lookups = [];
  decisions = [];
  onRequest = (_request, response) => void response.end('hello');
  onRaw = (socket) => void socket.pipe(socket);
});
afterAll(() => {
  for (const server of [proxy, web]) server.closeAllConnections();
  for (const server of [proxy, web, raw]) server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const connect = async (): Promise<net.Socket> => {
  const socket = net.connect({ path: socketPath, allowHalfOpen: true });
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
};
/** Sends bytes as they are, and gives everything that comes back until the proxy closes. */
const say = async (bytes: string | Buffer): Promise<string> => {
  const socket = await connect();
  socket.write(bytes);
  const answer = await buffer(socket);
  socket.destroy();
  return answer.toString('latin1');
};
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
const bodyOf = (answer: string): Record<string, unknown> =>
  JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
const at = (host: string, rest = '/'): string => `http://${host}:${ports.web}${rest}`;

interface Tunnel {
  readonly status: number;
  readonly socket: net.Socket;
  readonly answer: string;
}
/** CONNECT, and the proxy's answer to it; what follows waits in the socket. */
const open = async (authority: string, first: Buffer | string = ''): Promise<Tunnel> => {
  const socket = await connect();
  socket.write(Buffer.concat([Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\n`), Buffer.from(first)]));
  let answer = Buffer.alloc(0);
  while (!answer.includes('\r\n\r\n')) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await once(socket, 'readable');
    else answer = Buffer.concat([answer, chunk]);
    if (socket.readableEnded) break;
  }
  const status = statusOf(answer.toString('latin1'));
  if (status !== 200) return { status, socket, answer: answer.toString('latin1') + (await text(socket)) };
  const end = answer.indexOf('\r\n\r\n') + 4;
  if (answer.length > end) socket.unshift(answer.subarray(end));
  return { status, socket, answer: answer.toString('latin1', 0, end) };
};
/** Waits until the other side has ended it. */
const ended = async (socket: net.Socket): Promise<void> => {
  socket.resume();
  await new Promise<void>((resolve) => socket.once('end', resolve).once('close', resolve));
  socket.destroy();
};

/** The first bytes of a TLS client that names a host. */
const helloFor = async (servername: string | undefined): Promise<Buffer> => {
  const taker = net.createServer();
  const port = await listen(taker);
  const client = tls.connect({ port, host: '127.0.0.1', ...(servername !== undefined && { servername }) });
  client.on('error', () => undefined);
  const [socket] = (await once(taker, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  taker.close();
  return hello;
};

describe('a request in plain HTTP', () => {
  it('is passed on, written anew, and its reply comes back', async () => {
    const seen: { url: string | undefined; raw: string[] }[] = [];
    onRequest = (request, response) => {
      seen.push({ url: request.url, raw: request.rawHeaders });
      response.writeHead(418, 'Short and stout', {
        'x-tea': 'yes',
        connection: 'x-private, close',
        'x-private': 'no',
        'keep-alive': 'timeout=1',
        'proxy-authenticate': 'Basic',
      });
      response.end('tea');
    };
    const answer = await say(
      get(
        at('allowed.example', '/pot?x=1'),
        'X-End: to-end\r\nConnection: X-Mine\r\nX-Mine: secret\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\nKeep-Alive: 1\r\nTrailer: X\r\n',
      ),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 418 Short and stout\r\n/);
    expect(answer).toContain('x-tea: yes');
    expect(answer).not.toMatch(/x-private|timeout=1|proxy-authenticate/i);
    expect(seen).toHaveLength(1);
    const names = (seen[0]?.raw ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    expect(seen[0]?.url).toBe('/pot?x=1');
    expect(names.sort()).toEqual(['connection', 'host', 'x-end']);
    expect(seen[0]?.raw).toContain(`allowed.example:${ports.web}`); // never the Host that the client sent
  });

  it('streams large bodies both ways, however slow either side is', async () => {
    const size = 20_000_000;
    let most = 0;
    onRequest = (request, response) => {
      let received = 0;
      request.on('data', (chunk: Buffer) => {
        received += chunk.length;
        request.pause();
        setImmediate(() => request.resume());
      });
      request.on('end', () => {
        response.writeHead(200, { 'content-length': size });
        let sent = 0;
        const more = (): void => {
          while (sent < size) {
            const chunk = Buffer.alloc(Math.min(65_536, size - sent));
            sent += chunk.length;
            if (!response.write(chunk)) {
              most = Math.max(most, response.writableLength);
              return void response.once('drain', more);
            }
          }
          response.end();
        };
        expect(received).toBe(size);
        more();
      });
    };
    const request = http.request({ socketPath, method: 'POST', path: at('allowed.example'), headers: { 'content-length': size } });
    const reply = once(request, 'response') as Promise<[http.IncomingMessage]>;
    for (let sent = 0; sent < size; sent += 1_000_000) if (!request.write(Buffer.alloc(1_000_000))) await once(request, 'drain');
    request.end();
    const [response] = await reply;
    expect((await buffer(response)).length).toBe(size);
    expect(most).toBeLessThan(1_000_000); // the server was held back
  });

  it('a body of unknown length keeps its framing, whatever the method', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      const seen: string[] = [];
      onRequest = (request, response) => {
        void text(request).then((body) => {
          seen.push(`${request.method} ${request.url} ${request.headers['transfer-encoding']} ${body}`);
          response.end();
        });
      };
      const inner = `GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n`;
      await say(
        `${method} ${at('allowed.example')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
      );
      expect(seen).toEqual([`${method} / chunked ${inner}`]);
    }
  });

  it.each([
    ['two hosts', 'Host: a\r\nHost: b\r\n'],
    ['two lengths', 'Host: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n'],
    ['two different lengths', 'Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n'],
    ['length and coding', 'Host: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['two codings', 'Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['a coding that looks like chunked', 'Host: x\r\nTransfer-Encoding: xchunked\r\n'],
    ['another coding', 'Host: x\r\nTransfer-Encoding: gzip, chunked\r\n'],
    ['identity', 'Host: x\r\nTransfer-Encoding: identity\r\n'],
    ['no host', ''],
    ['a folded field', 'Host: x\r\nX: a\r\n b\r\n'],
    ['a space before the colon', 'Host: x\r\nTransfer-Encoding : chunked\r\n'],
    ['a bare line feed', 'Host: x\r\nX: a\nContent-Length: 5\r\n'],
    ['a null', 'Host: x\r\nX: a\0b\r\n'],
    ['too many fields', `Host: x\r\nX: ${'a'.repeat(20_000)}\r\n`],
  ])('with %s is refused, and nothing reaches anybody', async (_name, fields) => {
    let reached = 0;
    onRequest = (_request, response) => {
      reached += 1;
      response.end();
    };
    const answer = await say(`POST ${at('allowed.example')} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n0\r\n\r\n`);
    expect([400, 431]).toContain(statusOf(answer));
    expect(reached).toBe(0);
  });

  it.each([
    '/',
    '/path',
    '*',
    'allowed.example',
    'https://allowed.example/',
    'ftp://allowed.example/',
    'http://user@allowed.example/',
    'http://allowed.example:0080/',
    'http://0x7f.1/',
    'http://2130706433/',
  ])('for %s is refused as no request to a proxy', async (target) => {
    const answer = await say(get(target));
    expect(statusOf(answer)).toBe(400);
    expect(lookups).toEqual([]);
  });

  it('an upgrade to anything but WebSocket is never passed on', async () => {
    const seen: http.IncomingHttpHeaders[] = [];
    onRequest = (request, response) => {
      seen.push(request.headers);
      response.end('plain');
    };
    for (const protocol of ['h2c', 'websocket, h2c', 'TLS/1.0']) {
      const answer = await say(
        get(at('allowed.example'), `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABk\r\n`),
      );
      expect(statusOf(answer)).toBe(200);
    }
    expect(seen).toHaveLength(3);
    expect(seen.flatMap((headers) => Object.keys(headers)).filter((name) => /upgrade|http2/.test(name))).toEqual([]);
    expect(statusOf(await say('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))).toBe(400);
  });

  it('a host that answers with nonsense is a bad gateway', async () => {
    for (const reply of [
      'not http at all\r\n\r\n',
      'HTTP/1.1 099 Low\r\n\r\n',
      'HTTP/1.1 200 \u0001\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      '',
    ]) {
      onRaw = (socket) => void socket.once('data', () => socket.end(reply));
      expect(statusOf(await say(get(`http://allowed.example:${ports.raw}/`))), JSON.stringify(reply)).toBe(502);
    }
    expect(bodyOf(await say(get(`http://allowed.example:${ports.closed}/`)))).toMatchObject({ error: 'egress.upstream' });
  });

  it('a reply that breaks off is not taken for whole', async () => {
    onRaw = (socket) =>
      void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf', () => socket.destroy()));
    const request = http.get({ socketPath, path: `http://allowed.example:${ports.raw}/` });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    await expect(text(response)).rejects.toThrow();
  });
});

describe('what is refused', () => {
  it('says which rule of which policy, and asks no name server', async () => {
    for (const host of ['unknown.example', 'denied.example', `secret-${'x'.repeat(40)}.evil.example`]) {
      const answer = await say(get(at(host)));
      expect(statusOf(answer)).toBe(403);
      const { status, answer: tunnelled } = await open(`${host}:443`);
      expect(status).toBe(403);
      for (const body of [bodyOf(answer), bodyOf(tunnelled)]) {
        expect(body).toMatchObject({ error: 'egress.denied', host, policy: host === 'denied.example' ? 'story' : '' });
        expect(body['rule']).toMatch(host === 'denied.example' ? /^r_/ : /^default-deny$/);
        expect(String(body['help'])).toContain(`cordon why ${host}:`);
      }
    }
    expect(lookups).toEqual([]);
    expect(decisions.map(({ verdict, code }) => `${verdict} ${code}`)).toEqual(Array.from({ length: 6 }, () => 'denied egress.denied'));
  });

  it.each(['public.example', 'metadata.example', 'mapped.example', 'nat64.example'])(
    '%s leads to a private address, which its rule does not permit',
    async (host) => {
      const answer = await say(get(at(host)));
      expect(statusOf(answer)).toBe(403);
      expect(bodyOf(answer)).toMatchObject({ error: 'egress.private', policy: 'story' });
      expect(lookups).toEqual([host]);
    },
  );

  it('a name that led to a public address and then to a private one is judged each time', async () => {
    NAMES['public.example'] = ['198.51.100.7'];
    expect(bodyOf(await say(get(at('public.example'))))).toMatchObject({ error: 'egress.private' }); // this machine's own
    NAMES['public.example'] = ['127.0.0.1'];
    expect(bodyOf(await say(get(at('public.example'))))).toMatchObject({ error: 'egress.private' });
  });

  it('what a rule allows by method and path is allowed in plain HTTP, and never opens a tunnel', async () => {
    const asking = async (method: string, rest: string): Promise<number> =>
      statusOf(await say(`${method} ${at('reader.example', rest)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`));
    for (const rest of ['/public', '/public/', '/public/a?b=/../c']) expect(await asking('GET', rest), rest).toBe(200);
    for (const rest of [
      '/',
      '/publicity',
      '/private',
      '/public/a/../b',
      '/public/../private',
      '/public/%2e%2e/private',
      '/public/%2E./private',
      '/public/..%2fprivate',
      '/public/%252e%252e/private',
      '/public/..;/private',
      '/public/..%5cprivate',
      '/public//../../private',
      '/public/%00',
    ])
      expect(await asking('GET', rest), rest).toBe(403);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) expect(await asking(method, '/public'), method).toBe(403);
    for (const authority of [`reader.example:${ports.web}`, 'reader.example:443']) expect((await open(authority)).status).toBe(403);
  });

  it('an address is reached only by a rule that names it', async () => {
    for (const authority of [`127.0.0.1:${ports.web}`, '[::1]:443', '[::ffff:127.0.0.1]:443', '169.254.169.254:80', '0.0.0.0:443'])
      expect((await open(authority)).status, authority).toBe(403);
    expect((await open(`127.0.0.1:${ports.raw}`)).status).toBe(200);
    expect((await open(`[::ffff:127.0.0.1]:${ports.raw}`)).status).toBe(200);
    expect(lookups).toEqual([]);
  });

  it('a name without an address is told apart from a refusal', async () => {
    delete NAMES['split.example'];
    const answer = await say(get(at('split.example')));
    NAMES['split.example'] = ['127.0.0.1'];
    expect(statusOf(answer)).toBe(502);
    expect(bodyOf(answer)).toMatchObject({ error: 'egress.unresolved' });
  });

  it.each([
    'allowed.example',
    'allowed.example:',
    'allowed.example:0443',
    'user@allowed.example:443',
    'allowed.example:443@evil.example:80',
    'http://allowed.example:443',
    '0x7f.1:443',
    '/',
    '',
  ])('CONNECT %s is not understood', async (authority) => {
    const { status } = await open(authority);
    expect(status).toBe(400);
    expect(lookups).toEqual([]);
  });
});

describe('a tunnel', () => {
  it('carries real TLS to the host that both name', async () => {
    const key = Buffer.from('0123456789abcdef');
    const server = tls.createServer(
      { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => key },
      (socket) => void socket.end(`you named ${String(socket.servername)}`),
    );
    onRaw = (socket) => void server.emit('connection', socket);
    const { status, socket } = await open(`allowed.example:${ports.raw}`);
    expect(status).toBe(200);
    const secure = tls.connect({
      socket,
      servername: 'allowed.example',
      ciphers: 'PSK',
      maxVersion: 'TLSv1.2',
      pskCallback: () => ({ psk: key, identity: 'x' }),
      checkServerIdentity: () => undefined,
    });
    expect(await text(secure)).toBe('you named allowed.example');
  });

  it.each([
    ['another name', 'evil.example'],
    ['no name', undefined],
    ['a part of the name', 'example'],
    ['a longer name', 'allowed.example.evil.example'],
  ])('with %s in the hello is refused before a byte arrives', async (_name, servername) => {
    const arrived: Buffer[] = [];
    onRaw = (socket) => void socket.on('data', (chunk) => arrived.push(chunk));
    const hello = await helloFor(servername);
    for (const early of [true, false]) {
      const { socket } = await open(`allowed.example:${ports.raw}`, early ? hello : '');
      if (!early) socket.write(hello);
      await ended(socket);
    }
    expect(Buffer.concat(arrived).length).toBe(0);
    expect(decisions.filter(({ code }) => code === 'egress.server-name')).toHaveLength(2);
  });

  it('with a hello in two records, in which two names could be read, is refused', async () => {
    const arrived: Buffer[] = [];
    onRaw = (socket) => void socket.on('data', (chunk) => arrived.push(chunk));
    const hello = await helloFor('allowed.example');
    const body = hello.subarray(5);
    const piece = (part: Buffer): Buffer => Buffer.concat([hello.subarray(0, 3), Buffer.from([part.length >> 8, part.length & 255]), part]);
    const { socket } = await open(`allowed.example:${ports.raw}`, Buffer.concat([piece(body.subarray(0, 60)), piece(body.subarray(60))]));
    await ended(socket);
    expect(Buffer.concat(arrived).length).toBe(0);
  });

  it('to an address needs a hello without a name', async () => {
    const arrived = Promise.withResolvers<void>();
    onRaw = (socket) => void socket.once('data', () => arrived.resolve());
    const named = await open(`127.0.0.1:${ports.raw}`, await helloFor('allowed.example'));
    await ended(named.socket);
    await open(`127.0.0.1:${ports.raw}`, await helloFor(undefined));
    await arrived.promise;
  });

  it('is anything on a port that is not for TLS alone, whoever speaks first', async () => {
    const asked = await open(`allowed.example:${ports.raw}`, 'SSH-2.0-client\r\n');
    await once(asked.socket, 'readable');
    expect(String(asked.socket.read())).toBe('SSH-2.0-client\r\n');
    asked.socket.destroy();
    onRaw = (socket) => void socket.end('SSH-2.0-server\r\n');
    const { socket } = await open(`allowed.example:${ports.raw}`);
    expect(await text(socket)).toBe('SSH-2.0-server\r\n');
  });

  it('delivers everything that was sent before either side ended', async () => {
    const size = 8_000_000;
    onRaw = (socket) => void socket.once('data', () => socket.end(Buffer.alloc(size, 1)));
    const down = await open(`allowed.example:${ports.raw}`, 'down');
    let received = 0;
    for await (const chunk of down.socket) {
      received += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBe(size);
    const arrived = Promise.withResolvers<number>();
    onRaw = (socket) => void buffer(socket).then((all) => arrived.resolve(all.length));
    const up = await open(`allowed.example:${ports.raw}`, 'up');
    up.socket.end(Buffer.alloc(size, 2));
    expect(await arrived.promise).toBe(size + 2);
  });

  it('to a host that cannot be reached says so', async () => {
    const { status, answer } = await open(`down.example:${ports.closed}`);
    expect(status).toBe(502);
    expect(bodyOf(answer)).toMatchObject({ error: 'egress.upstream' });
  });

  it('ends at the host when the client is gone, and at the client when the host is', async () => {
    const over = Promise.withResolvers<void>();
    onRaw = (socket) => void socket.resume().once('close', () => over.resolve());
    const first = await open(`allowed.example:${ports.raw}`, 'x');
    first.socket.destroy();
    await over.promise;
    onRaw = (socket) => void socket.once('data', () => socket.resetAndDestroy());
    const second = await open(`allowed.example:${ports.raw}`, 'x');
    await ended(second.socket);
  });
});

describe('port 443', () => {
  it('carries nothing but TLS', async () => {
    const arrived: Buffer[] = [];
    const server = net.createServer((socket) => void socket.on('error', () => undefined).on('data', (chunk) => arrived.push(chunk)));
    const bound = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(443, '127.0.0.1', () => resolve(true)),
    );
    // Who may not listen there sees at least that it is dialled, and judged, like any other.
    if (!bound) return expect([200, 502]).toContain((await open('down.example:443')).status);
    try {
      for (const first of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-x\r\n', '\0\0\0\0']) {
        const { socket, status } = await open('allowed.example:443', first);
        expect(status).toBe(200);
        await ended(socket);
      }
      expect(Buffer.concat(arrived).length).toBe(0);
      const { socket } = await open('allowed.example:443', await helloFor('allowed.example'));
      await expect.poll(() => Buffer.concat(arrived).length).toBeGreaterThan(0);
      socket.destroy();
    } finally {
      server.close();
    }
  });
});

describe('the proxy itself', () => {
  it('holds 256 connections of a run and no more', async () => {
    const sockets = await Promise.all(Array.from({ length: 256 }, connect));
    const late = net.connect(socketPath);
    late.on('error', () => undefined);
    await once(late, 'close');
    sockets.forEach((socket) => socket.destroy());
    await expect.poll(async () => statusOf(await say(get(at('allowed.example'))))).toBe(200);
  });

  it('lives through everything that is thrown at it', async () => {
    const corpus: readonly (string | Buffer)[] = [
      '',
      '\r\n',
      '\r\n\r\n',
      '\0',
      'GET',
      'GET /\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'GET http:// HTTP/1.1\r\n\r\n',
      'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n',
      'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
      'CONNECT\r\n\r\n',
      'CONNECT / HTTP/1.1\r\n\r\n',
      'CONNECT [ HTTP/1.1\r\nHost: x\r\n\r\n',
      `CONNECT ${'a'.repeat(70_000)}:443 HTTP/1.1\r\n\r\n`,
      'TRACE http://allowed.example/ HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET http://allowed.example/ HTTP/9.9\r\n\r\n',
      'POST http://allowed.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'POST http://allowed.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
      Buffer.from([22, 3, 1, 255, 255]),
      Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 197) & 255)),
      get(at('allowed.example')).repeat(50),
    ];
    for (const bytes of corpus)
      for (const way of ['end', 'destroy'] as const) {
        const socket = await connect();
        socket.write(bytes);
        socket.resume();
        if (way === 'end') socket.end();
        if (way === 'destroy') socket.destroy();
      }
    // Resets in the middle of a tunnel, from either side and both, while bytes are on their way.
    for (let i = 0; i < 20; i += 1) {
      onRaw = (socket) => {
        socket.write(Buffer.alloc(500_000));
        if (i % 2 === 0) setImmediate(() => socket.resetAndDestroy());
      };
      const { socket } = await open(`allowed.example:${ports.raw}`, Buffer.alloc(100_000, 65));
      socket.write(Buffer.alloc(500_000));
      if (i % 3 === 0) socket.destroy();
      else setImmediate(() => socket.destroy());
    }
    expect(statusOf(await say(get(at('allowed.example'))))).toBe(200);
  });
});
