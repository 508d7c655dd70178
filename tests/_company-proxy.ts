/**
 * A company's proxy as it is met in the field: it wants a password, opens TLS with the company's own authority, passes plain requests on, and lets no Upgrade through.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { makeCertificate } from '../infra/test-certificates.ts';

export const HOST = 'cordon.example';

export interface CompanyProxy {
  readonly url: string;
  /** Certificate of the company's authority. */
  readonly caFile: string;
  /** Asked for by CONNECT, with the password or without. */
  readonly tunnels: { readonly target: string; readonly isKnown: boolean }[];
  /** Method and path of each request that it saw in the clear. */
  readonly requests: string[];
  /** What it does to an Upgrade. */
  upgrades: 'refuse' | 'strip' | 'pass';
  /** Answers of the next requests that are lost on their way back. */
  lose: number;
  stop(): Promise<void>;
}

const certificates = (folder: string): { readonly caFile: string; readonly key: string; readonly cert: string } => {
  const issuer = makeCertificate({ name: 'Company authority', hosts: [], isAuthority: true });
  const { key, cert } = makeCertificate({ name: HOST, hosts: [HOST], isAuthority: false, issuer });
  const caFile = path.join(folder, 'ca.pem');
  fs.writeFileSync(caFile, issuer.cert, { mode: 0o644 });
  return { caFile, key, cert };
};

/** @param upstream where the requests for HOST go, over plain HTTP. @param credentials `name:password` that it wants */
export const startCompanyProxy = async (folder: string, upstream: string, credentials: string): Promise<CompanyProxy> => {
  const { caFile, key, cert } = certificates(folder);
  const wanted = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const target = new URL(upstream);
  const proxy = {
    tunnels: [] as CompanyProxy['tunnels'][number][],
    requests: [] as string[],
    upgrades: 'refuse' as CompanyProxy['upgrades'],
    lose: 0,
  };
  const forward = (request: http.IncomingMessage, headers: http.IncomingHttpHeaders): http.ClientRequest =>
    http.request({ host: target.hostname, port: target.port, method: request.method, path: request.url, headers });

  const inside = https.createServer({ key, cert }, (request, response) => {
    proxy.requests.push(`${request.method} ${request.url}`);
    const { upgrade: _upgrade, connection: _connection, ...headers } = request.headers;
    const passed = forward(request, headers);
    passed.once('response', (answer) => {
      if (proxy.lose > 0) {
        proxy.lose -= 1;
        answer.resume();
        return void request.socket.destroy();
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.once('error', () => response.destroy());
    response.once('close', () => passed.destroy());
    request.pipe(passed);
  });
  inside.on('upgrade', (request, socket, head) => {
    proxy.requests.push(`UPGRADE ${request.url}`);
    socket.on('error', () => socket.destroy());
    if (proxy.upgrades === 'refuse')
      return void socket.end(
        'HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 25\r\nConnection: close\r\n\r\n<h1>Not in this house</h1>',
      );
    if (proxy.upgrades === 'strip')
      return void socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    const passed = forward(request, request.headers);
    passed.once('upgrade', (answer, upstreamSocket, first) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      upstreamSocket.write(head);
      socket.pipe(upstreamSocket).pipe(socket);
      upstreamSocket.on('error', () => socket.destroy());
      socket.once('close', () => upstreamSocket.destroy());
    });
    passed.once('error', () => socket.destroy());
    passed.end();
  });

  const server = http.createServer((_request, response) => void response.writeHead(405).end());
  server.on('connect', (request, socket, head) => {
    const isKnown = request.headers['proxy-authorization'] === wanted;
    proxy.tunnels.push({ target: request.url ?? '', isKnown });
    socket.on('error', () => socket.destroy());
    if (!isKnown) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="company"\r\n\r\n');
    if (!(request.url ?? '').startsWith(`${HOST}:`)) return void socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    inside.emit('connection', socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile,
    stop: async () => {
      inside.closeAllConnections();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
};
