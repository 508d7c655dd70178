/** The egress process for real: one proxy a run, each on its own socket. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_EGRESS, type EgressRules } from '@cordon/policy/egress-rules.ts';
import { effectiveOf } from '../../tests/_policy.ts';
import { IS_ROOT } from '../../tests/_world.ts';
import { DENY_ALL, startEgress, type Egress } from './egress.ts';
import type { Decision } from './messages.ts';

let folder: string;
let egress: Egress;
let web: http.Server;
let port: number;
let deaths = 0;
const decisions: Decision[] = [];
const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** Rules that allow one host. */
const allowing = (host: string): EgressRules => {
  const { hosts, hostLimits, cidrs, cidrLimits } = effectiveOf(
    `allow: { network: { hosts: [{ host: ${host}, ports: [${port}], private: true }] } }`,
  );
  return { ...NO_EGRESS, hosts, hostLimits, cidrs, cidrLimits };
};

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-egress-'));
  fs.chmodSync(folder, 0o755);
  web = http.createServer((_request, response) => void response.end('hello')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  port = (web.address() as net.AddressInfo).port;
  egress = await startEgress({
    runtimeDir: folder,
    hosts: { 'one.example': '127.0.0.1', 'two.example': '127.0.0.1' },
    ...(IS_ROOT && { dropTo: { uid: 65_534, gid: 65_534 } }),
    onDecision: (decision) => decisions.push(decision),
    onDeath: () => (deaths += 1),
  });
});
afterAll(() => {
  egress?.stop();
  web.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const get = async (socketPath: string, host: string): Promise<string> => {
  const request = http.get({ socketPath, path: `http://${host}:${port}/`, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return `${response.statusCode} ${(await text(response)).slice(0, 40)}`;
};
/** A tunnel that stays open. */
const tunnel = async (socketPath: string, host: string): Promise<net.Socket> => {
  const socket = net.connect(socketPath);
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n`);
  expect(String(((await once(socket, 'data')) as [Buffer])[0])).toMatch(/^HTTP\/1\.1 200/);
  return socket;
};

describe('the egress process', () => {
  it('has its own rights and no others', () => {
    const status = fs.readFileSync(`/proc/${egress.pid()}/status`, 'latin1');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe(IS_ROOT ? '65534' : String(me.uid));
    if (IS_ROOT) {
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^Groups:\s*$/m);
    }
    expect(fs.readFileSync(`/proc/${egress.pid()}/environ`, 'latin1')).not.toMatch(/PATH=|HOME=|CORDON/);
  });

  it('serves each run by its own rules, and tells whose decision it was', async () => {
    const one = await egress.open('run_one', allowing('one.example'), me);
    const two = await egress.open('run_two', allowing('two.example'), me);
    expect(await Promise.all([get(one.socket, 'one.example'), get(two.socket, 'two.example')])).toEqual(['200 hello', '200 hello']);
    expect(await get(one.socket, 'two.example')).toMatch(/^403 .*egress\.denied/);
    expect(await get(two.socket, 'one.example')).toMatch(/^403 /);
    await expect
      .poll(() => decisions.map(({ run, verdict, host }) => `${run} ${verdict} ${host}`).sort())
      .toEqual(['run_one allowed one.example', 'run_one denied two.example', 'run_two allowed two.example', 'run_two denied one.example']);
    for (const { socket } of [one, two]) expect(fs.statSync(socket).mode & 0o777).toBe(0o600);
    await Promise.all([egress.close('run_one'), egress.close('run_two')]);
    expect(fs.readdirSync(path.join(folder, 'egress'))).toEqual([]);
  });

  it('new rules cut what is open and hold at once', async () => {
    const { socket } = await egress.open('run_three', allowing('one.example'), me);
    const open = await tunnel(socket, 'one.example');
    const closed = once(open, 'close');
    egress.update('run_three', allowing('two.example'));
    await closed;
    expect(await get(socket, 'one.example')).toMatch(/^403 /);
    expect(await get(socket, 'two.example')).toBe('200 hello');
    egress.update('run_nobody', DENY_ALL); // of no run: nothing happens
    await egress.close('run_three');
  });

  it('new rules leave alone what they allow: a tunnel goes on through a policy that changed elsewhere', async () => {
    const { socket } = await egress.open('run_calm', allowing('one.example'), me);
    const open = await tunnel(socket, 'one.example');
    const { hosts } = allowing('two.example');
    const before = allowing('one.example');
    egress.update('run_calm', { ...before, hosts: [...before.hosts, ...hosts] });
    expect(await get(socket, 'two.example')).toBe('200 hello'); // without a restart
    egress.update('run_calm', before);
    expect(await get(socket, 'two.example')).toMatch(/^403 /);
    open.write('Host: x\r\nConnection: close\r\n\r\n');
    expect(await text(open)).toMatch(/hello/);
    await egress.close('run_calm');
  });

  it('a run that ends takes its connections and its socket with it', async () => {
    const { socket } = await egress.open('run_four', allowing('one.example'), me);
    const open = await tunnel(socket, 'one.example');
    const closed = once(open, 'close');
    await egress.close('run_four');
    await closed;
    await expect(get(socket, 'one.example')).rejects.toThrow();
    await egress.close('run_four'); // again: nothing to close
  });

  it('what was opened without rules lets nothing through until it is a run’s', async () => {
    const { socket } = await egress.open('seat_1', DENY_ALL, me);
    expect(await get(socket, 'one.example')).toMatch(/^403 /);
    await egress.assign('seat_1', 'run_five', allowing('one.example'));
    expect(await get(socket, 'one.example')).toBe('200 hello');
    await expect.poll(() => decisions.at(-1)).toMatchObject({ run: 'run_five', verdict: 'allowed' });
    await expect(egress.assign('seat_unknown', 'run_six', DENY_ALL)).rejects.toMatchObject({ code: 'egress.open' });
    await egress.close('run_five');
    await egress.close('run_six');
    expect(fs.readdirSync(path.join(folder, 'egress'))).toEqual([]);
  });

  it('that is killed is started again, and what was asked of it meanwhile fails or succeeds, but does not hang', async () => {
    const before = egress.pid() ?? 0;
    const { socket } = await egress.open('run_seven', allowing('one.example'), me);
    process.kill(before, 'SIGKILL');
    const asked = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => egress.open(`run_during_${i}`, allowing('one.example'), me)),
    );
    for (const outcome of asked)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'egress.open', retryable: true });
    egress.update('run_seven', DENY_ALL);
    await expect.poll(() => egress.pid(), { timeout: 10_000 }).not.toBe(before);
    expect(deaths).toBe(1);
    // A run that lives gets its way out back, under the rules that came meanwhile; they change without a restart.
    await expect.poll(() => get(socket, 'one.example').catch(() => ''), { timeout: 10_000 }).toMatch(/^403 /);
    egress.update('run_seven', allowing('one.example'));
    expect(await get(socket, 'one.example')).toBe('200 hello');
    if (IS_ROOT) expect(fs.statSync(socket).uid).toBe(me.uid);
    const again = await egress.open('run_eight', allowing('one.example'), me);
    expect(await get(again.socket, 'one.example')).toBe('200 hello');
    await Promise.all(['run_seven', 'run_eight', ...asked.map((_, i) => `run_during_${i}`)].map((run) => egress.close(run)));
    expect(fs.readdirSync(path.join(folder, 'egress'))).toEqual([]);
  });

  it('says when a socket’s path would be too long', async () => {
    const run = 'r'.repeat(100);
    await expect(egress.open(run, DENY_ALL, me)).rejects.toMatchObject({ code: 'egress.path' });
    expect(fs.readdirSync(path.join(folder, 'egress'))).toEqual([]);
  });
});
