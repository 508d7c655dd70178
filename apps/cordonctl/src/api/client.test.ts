import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient, type Client } from './client.ts';
import { connectionFrom, type Connection } from './connection.ts';

const reply = Compile(Type.Object({ ok: Type.Boolean() }));
const NONE = { server: undefined, tokenFile: undefined, ca: undefined };

const serving = async (handler: http.RequestListener): Promise<Client> => {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return createClient({ server: new URL(`http://127.0.0.1:${port}`), token: 'cordon_pat_x', ca: undefined });
};
const answering = (status: number, body: string): Promise<Client> =>
  serving((_request, response) => void response.writeHead(status).end(body));

describe('the client of the admin API', () => {
  it('sends the token and the body, below /api/v1', async () => {
    const seen: string[] = [];
    const client = await serving((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
        response.end('{"ok":true}');
      });
    });
    expect(await client.post('/publish', { title: 'x' }, reply)).toEqual({ ok: true });
    expect(await client.get('/proposals', reply)).toEqual({ ok: true });
    expect(seen).toEqual(['POST /api/v1/publish Bearer cordon_pat_x {"title":"x"}', 'GET /api/v1/proposals Bearer cordon_pat_x ']);
  });

  it('gives a refusal with the code and the words of the server', async () => {
    const client = await answering(409, JSON.stringify({ code: 'publish.approval-required', detail: 'propose it', status: 409 }));
    await expect(client.post('/publish', {}, reply)).rejects.toMatchObject({ code: 'publish.approval-required', message: 'propose it' });
  });

  it.each([
    ['what is not JSON', 200, '<html>', 'server.reply'],
    ['a member twice', 200, '{"ok":true,"ok":true}', 'server.reply'],
    ['another answer', 200, '{"no":true}', 'server.reply'],
    ['a refusal without a code', 500, '{}', 'server.refused'],
    ['a code that is none', 400, '{"code":"A B","detail":"x"}', 'server.refused'],
  ])('refuses %s', async (_what, status, body, code) => {
    await expect((await answering(status, body)).get('/x', reply)).rejects.toMatchObject({ code });
  });

  it('ends an answer that does not end', async () => {
    const client = await serving((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1_048_576, 32)));
        if (!response.destroyed) response.once('drain', more);
      };
      response.on('error', () => undefined);
      more();
    });
    await expect(client.get('/x', reply)).rejects.toMatchObject({
      code: 'server.reply',
      message: expect.stringContaining('longer') as string,
    });
  });

  it('says that nobody answers', async () => {
    const client = createClient({ server: new URL('http://127.0.0.1:1'), token: 'x', ca: undefined });
    await expect(client.get('/x', reply)).rejects.toMatchObject({ code: 'server.unreachable' });
  });
});

describe('the way to a server', () => {
  const tokenFile = (text = 'cordon_pat_x\n', mode = 0o600): string => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordonctl-token-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'token');
    fs.writeFileSync(file, text, { mode });
    return file;
  };

  it('comes from options, or from the environment', () => {
    const file = tokenFile();
    const expected: Connection = { server: new URL('https://cordon.example:7400'), token: 'cordon_pat_x', ca: undefined };
    expect(connectionFrom({ server: 'https://cordon.example:7400', 'token-file': file }, NONE)).toEqual(expected);
    expect(connectionFrom({}, { server: 'https://cordon.example:7400', tokenFile: file, ca: undefined })).toEqual(expected);
  });

  it.each([
    ['no server', undefined, 'cli.usage'],
    ['no URL', 'cordon.example', 'server.url'],
    ['another scheme', 'ftp://cordon.example', 'server.url'],
    ['a token in clear text', 'http://cordon.example:7400', 'server.plaintext'],
  ])('is refused: %s', (_what, server, code) => {
    expect(() => connectionFrom({ server, 'token-file': tokenFile() }, NONE)).toThrow(expect.objectContaining({ code }));
  });

  it('keeps a token that others can read, or that is none, to itself', () => {
    const from = (file: string): unknown => connectionFrom({ server: 'https://x.example', 'token-file': file }, NONE);
    expect(() => from(tokenFile('cordon_pat_x', 0o644))).toThrow(expect.objectContaining({ code: 'files.open' }));
    expect(() => from(tokenFile('two words'))).toThrow(expect.objectContaining({ code: 'cli.usage' }));
  });
});
