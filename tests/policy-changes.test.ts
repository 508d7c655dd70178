/** What a person sees of a policy that changes while agents run: a real daemon, real runs, a control plane that says what is in force. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';

const HOST = 'packages.example';
let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
let web: http.Server;
let port: number;
let shared: string;

const spec = (read: readonly string[], hosts: readonly string[], more = ''): string =>
  `allow:\n  filesystem: { read: [${read.join()}], write: ["\${workspace}"] }\n  network: { hosts: [${hosts.map((host) => `{ host: ${host}, ports: [${port}], private: true }`).join()}] }\n${more}`;
let published = 0;
const publish = async (...specs: readonly string[]): Promise<void> => {
  plane.publish(...specs);
  published += 1;
  await plane.push();
  await vi.waitFor(() => expect(plane.received('ack').at(-1)?.serial).toBe(published), { timeout: 30_000, interval: 20 });
};
const events = (): { readonly kind: string; readonly [name: string]: unknown }[] =>
  plane.received('telemetry').flatMap((frame) => [...frame.events]);

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  shared = world.folder('shared');
  world.file('shared/data', 'shared data\n');
  installation = install(world, { [HOST]: '127.0.0.1' });
  web = http.createServer((_request, response) => void response.end('a package\n')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  ({ port } = web.address() as AddressInfo);
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('hello')).toHaveLength(1), { timeout: 30_000, interval: 20 });
  await publish(spec([shared], [HOST]));
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  web?.close();
  world?.remove();
});

/** A run that does what it is told, line by line, and says what came of it. */
const start = (...options: readonly string[]) => {
  const [node = '', ...before] = installation.command;
  const asAccount = IS_ROOT ? ['--user', world.account.name] : [];
  const child = spawn(node, [...before, 'run', ...asAccount, ...options, '--', 'sh'], {
    cwd: world.workspace,
    env: { ...installation.env },
  });
  let said = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  let asked = 0;
  return {
    errors: () => errors,
    ended: async () => (await ended)[0],
    /** @returns all that the line says */
    do: async (line: string): Promise<string> => {
      asked += 1;
      const mark = `done-${asked}`;
      const from = said.length;
      child.stdin.write(`${line}\necho ${mark}\n`);
      await expect.poll(() => said.includes(`${mark}\n`), { timeout: 20_000 }).toBe(true);
      return said.slice(from, said.indexOf(`${mark}\n`));
    },
    end: () => child.stdin.end(),
  };
};
const fetchLine = (): string =>
  `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:3128") or die; print $s "GET http://${HOST}:${port}/ HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"; print while <$s>'`;

it('the network changes at once, in the run that lives, and nothing else happens to it', async () => {
  const run = start();
  expect(await run.do(fetchLine())).toContain('a package');
  await publish(spec([shared], []));
  expect(await run.do(fetchLine())).toContain('egress.denied');
  await publish(spec([shared], [HOST]));
  await expect.poll(() => run.do(fetchLine())).toContain('a package');
  run.end();
  expect(await run.ended()).toBe(0);
  expect(run.errors()).toBe('');
});

it('who holds more than allowed is told, in words and by a file, and stopped; who does not is not disturbed', async () => {
  const manifest = world.file(
    'needs.yaml',
    'apiVersion: cordon/v1\nkind: AgentManifest\nmetadata: { name: modest }\nneeds: { required: { filesystem: { write: ["${workspace}"] } } }\n',
  );
  const [run, other] = [start(), start('--manifest', manifest)];
  expect(await run.do(`cat ${shared}/data`)).toBe('shared data\n');
  await other.do('true');
  await publish(spec([], [HOST], 'grace: 20s'));
  await expect.poll(run.errors).toMatch(/^cordon: this run ends at .*what is in force now gives it less of .*shared/);
  expect(JSON.parse(await run.do('cat "${CORDON_RUN_SOCKET%/*}/notice.json"'))).toMatchObject({ code: 'policy.narrowed' });
  expect(await run.do('echo spoilt > "${CORDON_RUN_SOCKET%/*}/notice.json" || echo refused')).toContain('refused');
  expect(await run.do(`cat ${shared}/data`)).toBe('shared data\n');
  await publish(spec([shared], [HOST]));
  await expect.poll(run.errors).toContain('this run goes on');
  await publish(spec([], [HOST], 'grace: 1s'));
  expect(await run.ended()).toBe(137);
  expect(run.errors()).toContain('cordon: the run was ended (killed)');
  await expect
    .poll(() =>
      events()
        .filter(({ kind }) => kind === 'run.notice')
        .map(({ code, endsAt }) => `${String(code)} ${endsAt === null}`),
    )
    .toContain('policy.narrowed true');
  expect(await other.do('echo here')).toBe('here\n');
  other.end();
  expect(await other.ended()).toBe(0);
  expect(other.errors()).toBe('');
});
