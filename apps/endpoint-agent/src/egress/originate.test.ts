import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificateFor, type Certificate } from '../../tests/_certificate.ts';
import { egressOf, lookupIn, testWay } from './_way.ts';
import type { Attachment } from './originate.ts';
import { createProxy } from './proxy.ts';
import type { Way } from './way.ts';

let folder: string;
let certificate: Certificate;
let server: https.Server;
let seen: { url: string | undefined; host: string | undefined; token: string | undefined }[] = [];
let ca: readonly string[];
let attachment: Attachment | undefined | Error;
let asked: string[] = [];
let socketPath: string;
let proxy: http.Server;
let dials: number;

/** Port 443 of the test’s own machine cannot be had by everybody: the connection is led to where the server listens. */
const ledTo = (way: Way, port: number): Way => ({
  ...way,
  upstream: { host: '127.0.0.1', port },
});

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-tls-'));
  certificate = certificateFor('api.example');
  ca = [certificate.cert];
  server = https.createServer({ key: certificate.key, cert: certificate.cert }, (request, response) => {
    seen.push({ url: request.url, host: request.headers.host, token: request.headers['x-token'] as string | undefined });
    if (request.url === '/away') response.writeHead(302, { location: 'http://evil.example/' });
    response.end('over TLS');
  });
  // What stands for the company's proxy: takes a CONNECT to port 443 and is the host itself.
  const front = net.createServer((socket) => {
    dials += 1;
    socket.once('data', (request) => {
      expect(request.toString('latin1')).toMatch(/^CONNECT (api|wrong)\.example:443 HTTP\/1\.1\r\n/);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      server.emit('connection', socket);
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  server.once('close', () => front.close());
  socketPath = path.join(folder, 'proxy.sock');
  const rules = egressOf(
    `allow: { network: { hosts: [{ host: api.example }, { host: wrong.example }, { host: plain.example }] }, identity: { hosts: [api.example, wrong.example] } }`,
  );
  const origination = {
    attach: async (host: string): Promise<Attachment | undefined> => {
      asked.push(host);
      if (attachment instanceof Error) throw attachment;
      return attachment;
    },
    get ca() {
      return ca;
    },
  };
  const { way } = testWay(
    rules,
    lookupIn({}, () => undefined),
    () => undefined,
    { origination },
  );
  proxy = createProxy(ledTo(way, (front.address() as net.AddressInfo).port)).listen(socketPath);
  await once(proxy, 'listening');
});
beforeEach(() => {
  seen = [];
  asked = [];
  dials = 0;
  ca = [certificate.cert];
  attachment = { name: 'X-Token', value: 'secret' };
});
afterAll(() => {
  proxy.closeAllConnections();
  server.closeAllConnections();
  server.emit('close');
  proxy.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const get = async (url: string, headers: Record<string, string> = {}): Promise<string> => {
  const request = http.get({ socketPath, path: url, headers, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return `${response.statusCode} ${await text(response)}`;
};

describe('TLS that the proxy opens itself', () => {
  it('carries what is attached to the host whose certificate was verified, in place of what the client sent', async () => {
    expect(await get('http://api.example/x', { 'x-token': 'forged' })).toBe('200 over TLS');
    expect(seen).toEqual([{ url: '/x', host: 'api.example', token: 'secret' }]);
    expect(asked).toEqual(['api.example']);
  });

  it('without the right certificate nothing is asked for and nothing sent', async () => {
    expect(await get('http://wrong.example/')).toMatch(/^502 .*egress\.certificate/);
    ca = [];
    expect(await get('http://api.example/')).toMatch(/^502 .*egress\.certificate/);
    expect([seen, asked]).toEqual([[], []]);
  });

  it('an identity that is not to be had keeps the request back', async () => {
    attachment = new Error('the device is offline');
    expect(await get('http://api.example/')).toMatch(/^502 /);
    expect(seen).toEqual([]);
  });

  it('redirects are the client’s to follow', async () => {
    const before = dials;
    expect(await get('http://api.example/away')).toMatch(/^302 /);
    expect([dials - before, seen.length]).toEqual([1, 1]);
  });

  it('is opened for no other host, and no other port', async () => {
    expect(await get('http://plain.example/')).toMatch(/^403 /); // port 80 is not allowed, and 443 is not what it asked for
    expect(await get('http://api.example:8080/')).toMatch(/^403 /);
    expect([asked, dials]).toEqual([[], 0]);
  });
});
