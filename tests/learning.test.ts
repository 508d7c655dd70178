/** What an admin and a developer see before they tighten: policies in audit mode, and `cordon learn`. A real daemon, real runs. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { parseManifest } from '@cordon/policy/manifest/parse.ts';
import { findStrace } from '../apps/endpoint-agent/src/learn/recorder.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation, type Outcome } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';

const HOST = 'packages.example';
let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
let web: http.Server;
let port: number;
let shared: string;
let other: string;

const events = (kind: string): { readonly [name: string]: unknown }[] =>
  plane.received('telemetry').flatMap((frame) => frame.events.filter((event) => event.kind === kind));
const fetchLine = (host: string): string =>
  `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:3128") or die; print $s "GET http://${host}:${port}/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"; print while <$s>' > /dev/null`;
const learn = (line: string, ...options: readonly string[]): Promise<Outcome> =>
  installation.cordon(['learn', ...(IS_ROOT ? ['--user', world.account.name] : []), ...options, '--', 'sh', '-c', line]);

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  [shared, other] = [world.folder('shared'), world.folder('other')];
  world.file('shared/data', 'shared data\n');
  world.file('other/data', 'other data\n');
  world.folder('shared/odd>, "folder');
  world.file('shared/odd>, "folder/file', 'odd\n');
  installation = install(world, { [HOST]: '127.0.0.1', 'new.example': '127.0.0.1' });
  web = http.createServer((_request, response) => void response.end('a package\n')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  ({ port } = web.address() as AddressInfo);
  const hosts = `[{ host: ${HOST}, ports: [${port}], private: true }]`;
  plane.publish(
    `allow:\n  filesystem: { read: ["${shared}"], write: ["\${workspace}"] }\n  network: { hosts: ${hosts} }`,
    `mode: audit\ndeny:\n  filesystem: { access: ["${shared}"] }\n  network: { hosts: [{ host: ${HOST} }] }`,
  );
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('ack')).toHaveLength(1), { timeout: 30_000, interval: 20 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  web?.close();
  world?.remove();
});

it('a policy in audit mode changes nothing, and says what it would have changed, with how often', async () => {
  const { stdout } = await installation.sh(`cat ${shared}/data; for i in 1 2 3; do ${fetchLine(HOST)}; done`);
  expect(stdout).toBe('shared data\n');
  await expect.poll(() => events('run.ended').length, { timeout: 20_000 }).toBeGreaterThan(0);
  const told = events('audit').map(({ access, target, verdict, enforced, count }) => [access, target, enforced, verdict, count]);
  expect(told).toEqual([
    ['read', shared, 'allowed', 'denied', 1],
    ['network', `${HOST}:${port}`, 'allowed', 'denied', 1],
    ['network', `${HOST}:${port}`, 'allowed', 'denied', 2],
  ]);
});

it('and why tells of the difference before anything is tried', async () => {
  const asked = (...words: readonly string[]): Promise<Outcome> =>
    installation.cordon(['why', ...(IS_ROOT ? ['--user', world.account.name] : []), ...words]);
  const { status, stdout } = await asked(shared);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ALLOWED .*\n[^]*policies in audit mode would make it DENIED: denied by rule r_/);
  expect((await asked(world.workspace)).stdout).not.toContain('audit mode');
});

it('learning contains the command like any run, and proposes what it used and what it lacked', async () => {
  expect(findStrace(), 'this machine has strace').toBeDefined();
  const [out, policy] = [path.join(world.root, 'learned.yaml'), path.join(world.root, 'policy.yaml')];
  const { status, stdout, stderr } = await learn(
    `cat ${shared}/data '${shared}/odd>, "folder/file'; cat ${other}/data; echo hello > made; echo no > ${shared}/data; ${fetchLine(HOST)}; ${fetchLine('new.example')}; exit 7`,
    '--out',
    out,
    '--policy',
    policy,
  );
  expect({ status, stdout }).toEqual({ status: 7, stdout: 'shared data\nodd\n' });
  expect(stderr).toMatch(/files +\d+ different attempts, by strace: all of the run/);
  expect(fs.readFileSync(path.join(shared, 'data'), 'utf8')).toBe('shared data\n');
  const { required, optional } = parseManifest(fs.readFileSync(out, 'utf8')).document.needs;
  expect(required?.filesystem?.read).toEqual(expect.arrayContaining([`${shared}/data`, `${shared}/odd>, "folder/file`]));
  expect(required?.filesystem?.write).toEqual(['${workspace}/made']);
  expect(required?.network?.hosts).toEqual([{ host: HOST, ports: [port] }]);
  expect(optional?.filesystem?.read).toEqual([`${other}/data`]);
  expect(optional?.filesystem?.write).toEqual([`${shared}/data`]);
  expect(optional?.network?.hosts).toEqual([{ host: 'new.example', ports: [port] }]);
  expect(parsePolicy(fs.readFileSync(policy, 'utf8')).document.spec.allow).toEqual(optional);
  await expect
    .poll(() => events('file').map(({ access, path: place, code, recorder }) => [access, place, code, recorder]))
    .toContainEqual(['write', `${shared}/data`, 'EROFS', 'strace']);
  expect(JSON.stringify([...events('file'), ...events('audit')])).not.toContain('hello');
});

it('a file that is there is not written over, and learning is not for runs', async () => {
  const out = world.file('mine.yaml', 'mine\n');
  expect(await learn('true', '--out', out)).toMatchObject({ status: 125, stderr: expect.stringContaining('[file.exists]') });
  const [node = '', ...words] = installation.command;
  const inside = await installation.run([node, ...words, 'learn', '--', 'true']);
  expect(inside.status).not.toBe(0);
});

it('learning ends with its run, however that ends, and leaves nothing', async () => {
  const { status } = await learn('(sleep 300 & sleep 300 & true); kill -9 $$');
  expect(status).toBe(137);
  const tracers = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('strace\0-f\0-y');
      } catch {
        return false; // ended in between
      }
    });
  expect(tracers).toEqual([]);
});
