import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asking, errorOf, get, helloFor, startRig, statusOf, type Rig } from './_rig.ts';
import { readUpstream } from './upstream.ts';

let company: http.Server;
let rig: Rig;
let port: number;
/** What the company's proxy was asked for. */
let asked: string[] = [];
/** How it answers a CONNECT. */
let answer: (socket: net.Socket) => void;

const OPEN = 'HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n';

beforeAll(async () => {
  company = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? 'nobody'} ${request.headers.host}`);
    response.end('by the company');
  });
  company.on('connect', (request, socket) => {
    socket.on('error', () => undefined);
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    answer(socket as net.Socket);
  });
  company.listen(0, '127.0.0.1');
  await once(company, 'listening');
  ({ port } = company.address() as net.AddressInfo);
  rig = await startRig(
    'hosts: [{ host: far.example, ports: [80, 443, 8443] }, { host: near.example, ports: [PORT], private: true }, { host: 192.0.2.9, private: true }]',
    { upstream: { host: '127.0.0.1', port, authorization: 'Basic YTpi' } },
  );
});
beforeEach(() => {
  asked = [];
  answer = (socket) => void socket.end(`${OPEN}welcome`);
});
afterAll(() => {
  company.closeAllConnections();
  company.close();
  rig.close();
});

describe('a way out through the company’s proxy', () => {
  it('asks it for tunnels, by name, and nobody else; its password stays outside', async () => {
    const said = await rig.say(asking('far.example:8443'));
    expect(said).toMatch(/^HTTP\/1\.1 200 Connection Established\r\n\r\nwelcome$/);
    expect(said).not.toMatch(/via|basic/i);
    expect(asked).toEqual(['CONNECT far.example:8443 Basic YTpi']);
    expect(rig.heard).toEqual([]);
  });

  it('hands it plain requests in the form for that, with its own password and no other', async () => {
    const said = await rig.say(get('http://far.example/x', 'Proxy-Authorization: Basic stolen\r\n'));
    expect([statusOf(said), said.endsWith('by the company')]).toEqual([200, true]);
    expect(asked).toEqual(['GET http://far.example/x Basic YTpi far.example']);
  });

  it('still judges rules, and what the hello names', async () => {
    expect(statusOf(await rig.say(asking('other.example:443')))).toBe(403);
    expect(asked).toEqual([]);
    const arrived: Buffer[] = [];
    answer = (socket) => {
      socket.write(OPEN);
      socket.on('data', (chunk: Buffer) => arrived.push(chunk));
    };
    await rig.say(Buffer.concat([Buffer.from(asking('far.example:443')), await helloFor('hidden.example')]));
    expect(arrived).toEqual([]);
    expect(rig.decisions.at(-1)).toMatchObject({ code: 'egress.server-name' });
  });

  it('is not gone by what a rule calls private: that is resolved and dialled here', async () => {
    rig.names = { 'near.example': ['127.0.0.1'] };
    expect(statusOf(await rig.say(get(`http://near.example:${rig.port}/`)))).toBe(200);
    expect([asked, rig.heard]).toEqual([[], ['near.example']]);
  });

  it('that refuses, talks nonsense or says nothing is a bad gateway', async () => {
    for (const words of [
      'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
      'SSH-2.0-x\r\n\r\n',
      '',
      'x'.repeat(20_000),
      'HTTP/1.1 2000 OK\r\n\r\n',
    ]) {
      answer = (socket) => void socket.end(words);
      const said = await rig.say(asking('far.example:443'));
      expect([statusOf(said), errorOf(said)], words.slice(0, 20)).toEqual([502, 'egress.upstream-proxy']);
    }
  });

  it('an answer in pieces, and bytes right behind it, arrive whole', async () => {
    answer = (socket) => {
      for (const piece of ['HTTP/1.1 200', ' OK\r\n', '\r', '\nfirst']) socket.write(piece);
      socket.once('data', (chunk: Buffer) => socket.end(` then ${chunk.toString('latin1')}`));
    };
    const client = net.connect(rig.socketPath);
    client.write(asking('far.example:8443'));
    const all = text(client);
    await once(client, 'data');
    client.write('mine');
    expect(await all).toContain('first then mine');
  });
});

describe('what says where it is', () => {
  it('is a plain URL, and a password in a file that nobody else reads', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-up-'));
    const file = path.join(folder, 'auth');
    fs.writeFileSync(file, 'ada:p@ss:w\n', { mode: 0o600 });
    expect(readUpstream(undefined, undefined)).toBeUndefined();
    expect(readUpstream('http://proxy.example:3128', undefined)).toEqual({ host: 'proxy.example', port: 3128 });
    expect(readUpstream('http://[::1]', file)).toEqual({
      host: '::1',
      port: 80,
      authorization: `Basic ${Buffer.from('ada:p@ss:w').toString('base64')}`,
    });
    for (const url of ['https://p', 'socks5://p', 'p:3128', 'http://a:b@p', 'http://p/x', 'http://p/?x', 'http://'])
      expect(() => readUpstream(url, undefined), url).toThrow(/CORDON_EGRESS_PROXY must be/);
    fs.chmodSync(file, 0o644);
    expect(() => readUpstream('http://p', file)).toThrow(/must not be readable/);
    fs.rmSync(folder, { recursive: true });
  });
});
