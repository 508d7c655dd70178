import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STRAIGHT } from '../network/network.ts';
import { call, checkServer } from './device-api.ts';

const Reply = Compile(Type.Object({ ok: Type.Boolean() }, { additionalProperties: false }));
let server: http.Server;
let url: string;
let answer: http.RequestListener;
beforeAll(async () => {
  server = http.createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const says = (status: number, body: string, headers: http.OutgoingHttpHeaders = {}): void => {
  answer = (_request, response) => void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
};
const asked = (): Promise<unknown> => call(url, '/x', { a: 1 }, Reply);

describe('checkServer', () => {
  it.each([
    'https://cordon.example',
    'https://cordon.example:7401/',
    'http://127.0.0.1:7401',
    'http://[::1]:7401',
    'http://localhost:7401',
  ])('speaks to %s', (server) => {
    expect(checkServer(server).protocol).toMatch(/^https?:$/);
  });

  it.each([
    ['http://cordon.example', 'server.plaintext'],
    ['http://192.0.2.1', 'server.plaintext'],
    ['http://127.0.0.1.evil.example', 'server.plaintext'],
    ['http://localhost.evil.example', 'server.plaintext'],
    ['http://2130706434', 'server.plaintext'],
    ['ws://127.0.0.1', 'server.plaintext'],
    ['file:///etc/passwd', 'server.plaintext'],
    ['cordon.example', 'server.url'],
    ['', 'server.url'],
  ])('does not speak to %s', (server, code) => {
    expect(() => checkServer(server)).toThrow(expect.objectContaining({ code }));
  });
});

describe('call', () => {
  it('sends JSON and gives the checked reply', async () => {
    let seen: string | undefined;
    answer = (request, response) => {
      seen = `${request.method} ${request.url} ${request.headers['content-type']}`;
      response.end('{"ok":true}');
    };
    expect(await asked()).toEqual({ ok: true });
    expect(seen).toBe('POST /x application/json');
    await call(url, '/y', undefined, Reply);
    expect(seen).toBe('GET /y undefined');
  });

  it.each([
    ['a refusal with its code', 403, '{"code":"enroll.token-used","detail":"ask for another"}', 'enroll.token-used', false],
    ['a refusal without a code', 400, '{"title":"Bad"}', 'server.refused', false],
    ['a refusal with a code that is none', 400, '{"code":"\\u001b[2J"}', 'server.refused', false],
    ['trouble of the server', 503, '{"code":"db.unavailable"}', 'db.unavailable', true],
    ['too many requests', 429, '{"code":"request.rate"}', 'request.rate', true],
    ['something else than JSON', 200, '<html>', 'server.reply', false],
    ['JSON with a member twice', 200, '{"ok":true,"ok":false}', 'server.reply', false],
    ['something that is not understood', 200, '{"ok":true,"more":1}', 'server.reply', false],
    ['no words at all', 500, '', 'server.reply', true],
  ])('%s', async (_name, status, body, code, retryable) => {
    says(status, body);
    await expect(asked()).rejects.toMatchObject({ code, retryable });
  });

  it('follows no redirect, and reads no more than an answer may have', async () => {
    says(302, '', { location: `${url}/elsewhere` });
    await expect(asked()).rejects.toMatchObject({ code: 'server.unreachable' });
    answer = (_request, response) => {
      const more = (): void => void response.write(Buffer.alloc(100_000, 32), more);
      response.on('error', () => undefined);
      more();
    };
    await expect(asked()).rejects.toMatchObject({ code: 'server.reply' });
  });

  it('nobody there, a connection that breaks, and a caller who gives up', async () => {
    await expect(call('http://127.0.0.1:1', '/x', undefined, Reply)).rejects.toMatchObject({ code: 'server.unreachable', retryable: true });
    answer = (request) => request.socket.destroy();
    await expect(asked()).rejects.toMatchObject({ code: 'server.unreachable' });
    answer = () => undefined;
    const stop = new AbortController();
    const waiting = call(url, '/x', undefined, Reply, { network: STRAIGHT, signal: stop.signal });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'server.unreachable' });
  });
});
