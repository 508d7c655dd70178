/** `cordon enroll` as a process, against a control plane with real keys. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeAll, afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parseToken } from '@cordon/policy/trust/token.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Installation } from './_daemon.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

let plane: ControlPlane;
beforeAll(async () => (plane = await startControlPlane()));
afterAll(() => plane?.stop());

let world: World;
let installation: Installation;
let before: number;
beforeEach(() => {
  world = createWorld();
  installation = install(world);
  before = plane.requests.length;
});
afterEach(() => world.remove());

const asked = (): readonly string[] => plane.requests.slice(before);
const stored = (name: string): string => path.join(installation.stateDir, name);

describe('cordon enroll', () => {
  it.each([
    ['a file', (token: string) => enrol(installation, world, plane.url, token)],
    ['the environment', (token: string) => installation.cordon(['enroll', '--server', plane.url], { env: { CORDON_TOKEN: token } })],
    [
      'a file that the environment names',
      (token: string) => {
        const file = path.join(world.root, 'named-token');
        fs.writeFileSync(file, `${token}\n`, { mode: 0o600 });
        return installation.cordon(['enroll', '--server', plane.url], { env: { CORDON_ENROLL_TOKEN_FILE: file } });
      },
    ],
    [
      'the configuration file',
      (token: string) => {
        const file = path.join(world.root, 'enroll.json');
        fs.writeFileSync(file, JSON.stringify({ server: plane.url, token }), { mode: 0o600 });
        return installation.cordon(['enroll'], { env: { CORDON_ENROLL_CONFIG: file } });
      },
    ],
    ['standard input', (token: string) => installation.cordon(['enroll', '--server', plane.url], { input: `${token}\n` })],
  ])('takes the token from %s', async (_name, join) => {
    const token = plane.token();
    const { status, stdout, stderr } = await join(token);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const device = /^enrolled as (dev_\S+) in org_story\n$/.exec(stdout)?.[1] ?? '';
    expect(plane.enrolled.get(device)).toMatchObject({ os: 'linux', assurance: IS_ROOT ? 'system' : 'user' });
    expect(asked()).toEqual(['GET /agent/v1/root', 'POST /agent/v1/enroll/challenge', 'POST /agent/v1/enroll']);
    // What stays is for this account alone, and nothing of the token stays.
    expect(fs.statSync(installation.stateDir).mode & 0o777).toBe(0o700);
    for (const name of ['device-key', 'enrollment.json']) expect(fs.statSync(stored(name)).mode & 0o777).toBe(0o600);
    const seed = parseToken(token).keyPair.privateKey.export({ format: 'jwk' }).d ?? '';
    for (const name of fs.readdirSync(installation.stateDir, { recursive: true, encoding: 'utf8' }))
      if (fs.statSync(stored(name)).isFile()) expect(fs.readFileSync(stored(name), 'latin1').includes(seed), name).toBe(false);
    expect(plane.faults).toEqual([]);
  });

  it('shows the token to nobody: not in the process list, and an argument is no way to give it', async () => {
    const token = plane.token();
    const refused = await installation.cordon(['enroll', '--server', plane.url, '--token', token]);
    expect(refused.status).toBe(125);
    expect(refused.stderr).toContain('[enroll.token-argument]');
    const word = await installation.cordon(['enroll', token, '--server', plane.url]);
    expect(word.stderr).toContain('[enroll.token-argument]');
    expect(word.stderr + word.stdout).not.toContain(token);
    expect(refused.stderr + refused.stdout).not.toContain(token);
    const absent = await installation.cordon(['enroll', '--server', plane.url, '--token-file', stored('absent')]);
    expect(absent.stderr).toBe(`cordon: ${stored('absent')} cannot be read (it is not there) [file.unreadable]\n`);
    expect(asked()).toEqual([]);
    const child = spawn(installation.command[0] ?? '', [...installation.command.slice(1), 'enroll', '--server', plane.url], {
      env: { ...installation.env },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    expect(fs.readFileSync(`/proc/${child.pid}/cmdline`, 'latin1')).not.toContain(token);
    child.stdin.end(token);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('with --retry asks until it is answered, and uses the token once', async () => {
    const token = plane.token();
    await plane.cut();
    const child = spawn(installation.command[0] ?? '', [...installation.command.slice(1), 'enroll', '--server', plane.url, '--retry'], {
      env: { ...installation.env, CORDON_TOKEN: token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 10_000 }).toContain('[server.unreachable]; again in');
    await plane.mend();
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(said).not.toContain(token);
    expect(fs.existsSync(stored('enrollment.json'))).toBe(true);
  });

  it('says that an administrator has to approve it, where that is so', async () => {
    plane.pending = true;
    const { status, stdout } = await enrol(installation, world, plane.url, plane.token());
    plane.pending = false;
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^enrolled as dev_\S+ in org_story; it is waiting for an administrator to approve it\n$/),
    ]);
  });

  it('does not take two tokens, and no file that others can change', async () => {
    const file = path.join(world.root, 'two');
    fs.writeFileSync(file, plane.token());
    fs.chmodSync(file, 0o666);
    const two = await installation.cordon(['enroll', '--server', plane.url], {
      env: { CORDON_TOKEN: plane.token(), CORDON_ENROLL_TOKEN_FILE: file },
    });
    expect(two.stderr).toContain('[enroll.two-tokens]');
    const open = await installation.cordon(['enroll', '--server', plane.url, '--token-file', file]);
    expect(open.stderr).toContain('[file.unsafe]');
    expect(asked()).toEqual([]);
  });

  it('sends nothing of itself to a server that is not its organisation’s', async () => {
    const { status, stderr } = await enrol(installation, world, plane.url, plane.token({ fingerprint: 'A'.repeat(43) }));
    expect(status).toBe(125);
    expect(stderr).toContain('[root.fingerprint]');
    expect(asked()).toEqual(['GET /agent/v1/root']);
    expect(fs.readdirSync(installation.stateDir).filter((name) => name !== 'compile-cache')).toEqual([]);
  });

  it.each(['used', 'expired'] as const)('says what the server says of a token that is %s', async (state) => {
    const { status, stderr } = await enrol(installation, world, plane.url, plane.token({ state }));
    expect(status).toBe(125);
    expect(stderr).toBe(`cordon: the test refuses: enroll.token-${state} [enroll.token-${state}]\n`);
    expect(fs.existsSync(stored('enrollment.json'))).toBe(false);
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0); // with a better one it works
  });

  it('says so when the port is that for administrators, and has sent nothing but a question', async () => {
    const seen: string[] = [];
    const admins = http.createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.writeHead(404, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ status: 404, code: 'request.not-found', detail: 'there is no GET /agent/v1/root' }));
    });
    await new Promise<void>((resolve) => admins.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void admins.close());
    const { port } = admins.address() as AddressInfo;
    const { status, stderr } = await enrol(installation, world, `http://127.0.0.1:${port}`, plane.token());
    expect(status).toBe(125);
    expect(stderr).toMatch(/does not serve devices: name the port for devices, 7401 .* \[server\.not-device\]\n$/);
    expect(seen).toEqual(['GET /agent/v1/root']);
  });

  it('joins once: a device leaves only when its organisation retires it', async () => {
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    const enrollment = fs.readFileSync(stored('enrollment.json'));
    const again = await enrol(installation, world, plane.url, plane.token());
    expect(again.status).toBe(125);
    expect(again.stderr).toContain('[enroll.already]');
    expect(fs.readFileSync(stored('enrollment.json'))).toEqual(enrollment);
    // Unless its organisation has lost it, and it is told to: then as a new device.
    const file = path.join(world.root, 'again');
    fs.writeFileSync(file, plane.token(), { mode: 0o600 });
    const rejoined = await installation.cordon(['enroll', '--server', plane.url, '--token-file', file, '--again']);
    expect([rejoined.status, rejoined.stderr]).toEqual([0, '']);
    expect(fs.readFileSync(stored('enrollment.json'))).not.toEqual(enrollment);
  });

  it.each([
    ['token.malformed', (url: string) => [url, 'cordon.ent_x.y']],
    ['token.malformed', (url: string) => [url, '']],
    ['server.plaintext', (url: string, token: string) => [url.replace('127.0.0.1', '192.0.2.1'), token]],
    ['server.plaintext', (_url: string, token: string) => ['ftp://127.0.0.1', token]],
    ['server.url', (_url: string, token: string) => ['not a url', token]],
    ['server.unreachable', (_url: string, token: string) => ['http://127.0.0.1:1', token]],
  ])('refuses with %s', async (code, make) => {
    const [url = '', token = ''] = make(plane.url, plane.token());
    const { status, stderr } = await enrol(installation, world, url, token);
    expect(status).toBe(125);
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).not.toContain(token === '' ? '\0' : token);
    expect(asked()).toEqual([]);
  });
});
