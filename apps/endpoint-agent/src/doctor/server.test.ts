import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openNetwork, STRAIGHT, type Network } from '../network/network.ts';
import { createAuthority, type Authority } from '../../tests/_certificates.ts';
import type { Check } from './check.ts';
import { proxyCheck, serverChecks } from './server.ts';

let authority: Authority;
let folder: string;
let trusting: Network;
const servers: net.Server[] = [];

beforeAll(() => {
  authority = createAuthority();
  folder = fs.mkdtempSync('/var/tmp/cordon-doctor-test-');
  const caFile = path.join(folder, 'ca.pem');
  fs.writeFileSync(caFile, authority.cert, { mode: 0o644 });
  trusting = openNetwork({ caFile, proxy: undefined, straight: undefined, proxyAuthFile: undefined });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const listen = async (server: net.Server): Promise<number> => {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};
const answering = (status: number, date?: string) => (_request: http.IncomingMessage, response: http.ServerResponse) => {
  if (date !== undefined) response.setHeader('date', date);
  response.writeHead(status).end('{}');
};
const look = (server: string | undefined, network: Network = STRAIGHT): Promise<readonly Check[]> =>
  serverChecks({ server, network: () => network, now: () => new Date(), timeoutMs: 2000 });
const states = (checks: readonly Check[]): string[] => checks.map(({ name, state }) => `${name} ${state}`);

describe('the way to the control plane', () => {
  it('is well where it answers and both have the same time', async () => {
    const port = await listen(http.createServer(answering(200)));
    expect(states(await look(`http://127.0.0.1:${port}`))).toEqual(['control plane ok', 'clock ok']);
  });

  it('is well through TLS with an authority of the company', async () => {
    const port = await listen(https.createServer(authority.issue(), answering(200)));
    expect(states(await look(`https://127.0.0.1:${port}`, trusting))).toEqual(['control plane ok', 'clock ok']);
  });

  it.each<readonly [what: string, wanted: Parameters<Authority['issue']>[0], code: string, says: RegExp, trusts: boolean]>([
    ['has expired', { from: -3, to: -1 }, 'CERT_HAS_EXPIRED', /renew it/, true],
    ['is not valid yet', { from: 2, to: 3 }, 'CERT_NOT_YET_VALID', /set the clock/, true],
    ['is for another name', { host: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID', /name the control plane/, true],
    ['is of an authority that nobody here trusts', {}, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', /CORDON_CA_FILE/, false],
  ])('names a certificate that %s', async (_what, wanted, code, says, trusts) => {
    const port = await listen(https.createServer(authority.issue(wanted), answering(200)));
    const [check, ...more] = await look(`https://127.0.0.1:${port}`, trusts ? trusting : STRAIGHT);
    expect(more).toEqual([]);
    expect(check).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining(`[${code}]`) as unknown,
      mend: expect.stringMatching(says) as unknown,
    });
  });

  it('names a port where nobody listens, one that speaks no TLS, and a name without an address', async () => {
    const plain = await listen(http.createServer(answering(200)));
    const closed = await listen(net.createServer());
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const [refused] = await look(`https://127.0.0.1:${closed}`);
    expect(refused).toMatchObject({ state: 'failed', detail: expect.stringContaining('[ECONNREFUSED]') as unknown });
    const [other] = await look(`https://127.0.0.1:${plain}`);
    expect(other).toMatchObject({ state: 'failed', detail: expect.stringContaining('does not speak TLS') as unknown });
    const [nameless] = await look('https://no-such-host.invalid:7401');
    expect(nameless).toMatchObject({ state: 'failed', detail: expect.stringMatching(/\[(ENOTFOUND|EAI_AGAIN)\]/) as unknown });
  });

  it('names one that takes the connection and says nothing', async () => {
    const port = await listen(net.createServer(() => undefined));
    const [check] = await look(`http://127.0.0.1:${port}`);
    expect(check).toMatchObject({ state: 'failed', detail: expect.stringContaining('it does not answer [ETIMEDOUT]') as unknown });
  });

  it('tells a clock that is wrong, and by how much', async () => {
    const ahead = new Date(Date.now() + 3_600_000).toUTCString();
    const port = await listen(http.createServer(answering(200, ahead)));
    const [, clock] = await look(`http://127.0.0.1:${port}`);
    expect(clock).toMatchObject({
      name: 'clock',
      state: 'failed',
      detail: expect.stringMatching(/^3(599|600|601) s behind the control plane$/) as unknown,
    });
  });

  it('tells something else that answers from a control plane', async () => {
    const found = await listen(http.createServer(answering(404)));
    const broken = await listen(http.createServer(answering(502)));
    expect(states(await look(`http://127.0.0.1:${found}`))).toEqual(['control plane failed', 'clock ok']);
    expect(states(await look(`http://127.0.0.1:${broken}`))).toEqual(['control plane warning', 'clock ok']);
  });

  it('is not known before anybody said which one it is, and refuses what is none', async () => {
    expect(states(await look(undefined))).toEqual(['control plane unknown']);
    for (const server of ['http://cordon.example', 'cordon.example'])
      await expect(look(server)).rejects.toMatchObject({ code: expect.stringMatching(/^server\./) as unknown });
  });
});

describe('proxy settings', () => {
  it('are named, never their values', () => {
    expect(proxyCheck(() => STRAIGHT, {})).toMatchObject({ state: 'ok', detail: expect.stringContaining('none') as unknown });
    const check = proxyCheck(() => STRAIGHT, { HTTPS_PROXY: 'http://user:secret@proxy.example' });
    expect(check.detail).toContain('HTTPS_PROXY');
    expect(JSON.stringify(check)).not.toContain('secret');
  });
});
