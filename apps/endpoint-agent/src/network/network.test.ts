import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate, type TestCertificate } from '../../../../infra/test-certificates.ts';
import { readCertificates } from './certificates.ts';
import { openNetwork, STRAIGHT, type NetworkSettings } from './network.ts';

const NONE: NetworkSettings = { caFile: undefined, proxy: undefined, straight: undefined, proxyAuthFile: undefined };
let folder: string;
let server: https.Server;
let proxy: http.Server;
let own: TestCertificate;
const seen: string[] = [];
const at = (name: string): string => path.join(folder, name);
const file = (name: string, text: string, mode = 0o600): string => {
  fs.writeFileSync(at(name), text);
  fs.chmodSync(at(name), mode);
  return at(name);
};
const portOf = (of: net.Server | http.Server): number => (of.address() as AddressInfo).port;
const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'done';
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);
  }
};

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-network-'));
  own = makeCertificate({ name: 'Own authority', hosts: ['cordon.example', 'localhost'], isAuthority: true });
  file('ca.pem', own.cert, 0o644);
  server = https.createServer({ key: own.key, cert: own.cert }, (_request, response) => response.end('here'));
  proxy = http.createServer();
  proxy.on('connect', (request, socket) => {
    seen.push(`${request.url} ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    const upstream = net.connect(portOf(server), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    for (const end of [socket, upstream]) end.on('error', () => end.destroy());
  });
  for (const listener of [server, proxy]) await once(listener.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => {
  for (const listener of [server, proxy]) {
    listener.closeAllConnections();
    listener.close();
  }
  fs.rmSync(folder, { recursive: true, force: true });
});

const ask = async (settings: Partial<NetworkSettings>, host: string): Promise<string> => {
  const answer = await openNetwork({ ...NONE, ...settings }).request(new URL(`https://${host}:${portOf(server)}/`), {
    method: 'GET',
    headers: {},
    maxBytes: 100,
    signal: AbortSignal.timeout(5000),
  });
  return answer.body.toString();
};

describe('the way to the control plane', () => {
  it('is straight where nothing is said, and then a foreign authority is none', async () => {
    expect(openNetwork(NONE)).toBe(STRAIGHT);
    expect(await codeOf(() => ask({}, 'localhost'))).toMatch(/SELF_SIGNED|UNABLE_TO/);
    expect(await ask({ caFile: at('ca.pem') }, 'localhost')).toBe('here');
  });

  it('goes through a proxy by CONNECT, with its password from a file, but not to hosts that are reached straight', async () => {
    const settings = { caFile: at('ca.pem'), proxy: `http://127.0.0.1:${portOf(proxy)}`, straight: '.internal,localhost' };
    const proxyAuthFile = file('auth', 'ada:p@ss w:rd%\n');
    expect(await ask({ ...settings, proxyAuthFile }, 'cordon.example')).toBe('here');
    expect(seen).toEqual([`cordon.example:${portOf(server)} Basic ${Buffer.from('ada:p@ss w:rd%').toString('base64')}`]);
    expect(await ask(settings, 'localhost')).toBe('here');
    expect(seen).toHaveLength(1);
    expect(openNetwork({ ...NONE, ...settings, proxyAuthFile }).through).toBe(settings.proxy);
  });

  it('that cannot be gone says through what, and never with which password', async () => {
    const network = openNetwork({ ...NONE, proxy: 'http://127.0.0.1:1', proxyAuthFile: file('auth', 'ada:secret') });
    const failure = await network
      .request(new URL('https://cordon.example/'), { method: 'GET', headers: {}, maxBytes: 1, signal: AbortSignal.timeout(5000) })
      .catch((error: unknown) => JSON.stringify([error, String(error), (error as Error).stack]));
    expect(failure).toContain('ECONNREFUSED');
    expect(failure).not.toContain('secret');
    expect(network.through).not.toContain('ada');
  });

  it.each<readonly [what: string, settings: () => Partial<NetworkSettings>, code: string]>([
    ['a password in the URL', () => ({ proxy: 'http://ada:secret@proxy.example:3128' }), 'network.proxy'],
    ['no URL', () => ({ proxy: 'proxy.example:3128' }), 'network.proxy'],
    ['another kind of proxy', () => ({ proxy: 'socks5://proxy.example' }), 'network.proxy'],
    ['a password that others can read', () => ({ proxy: 'http://p', proxyAuthFile: file('open', 'a:b', 0o644) }), 'file.unsafe'],
    ['no password in its file', () => ({ proxy: 'http://p', proxyAuthFile: file('empty', 'ada\n') }), 'network.proxy'],
    ['two lines', () => ({ proxy: 'http://p', proxyAuthFile: file('two', 'a:b\nProxy: x') }), 'network.proxy'],
    ['an authority that others can change', () => ({ caFile: file('ca-open', own.cert, 0o666) }), 'file.unsafe'],
    ['no file', () => ({ caFile: at('nothing') }), 'file.unreadable'],
  ])('%s is refused', async (_what, settings, code) => {
    expect(await codeOf(() => openNetwork({ ...NONE, ...settings() }))).toBe(code);
  });

  it('says nothing of a password that it refuses', () => {
    expect(() => openNetwork({ ...NONE, proxy: 'http://ada:secret@proxy.example:3128' })).toThrow(/^(?!.*secret).*CORDON_PROXY_AUTH_FILE/);
  });
});

describe('the file of authorities', () => {
  it('holds certificates of authorities, and nothing else', async () => {
    expect(readCertificates(`# Own authority\n${own.cert}\n${own.cert}`, 'f')).toHaveLength(2);
    const leaf = makeCertificate({ name: 'x', hosts: [], isAuthority: false });
    const wrong = [
      '',
      'words',
      own.key,
      `${own.cert}${own.key}`,
      own.cert.replace(/\n[A-Za-z0-9+/]{10}/, '\n'),
      own.cert.slice(0, -10),
      leaf.cert,
    ];
    for (const text of wrong) expect(await codeOf(() => readCertificates(text, 'f'))).toBe('network.certificates');
  });
});
