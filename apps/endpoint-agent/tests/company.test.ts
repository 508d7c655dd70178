/** Runs of a daemon in a company's network: its proxy behind their way out, its authorities inside, and policies that change while they are connected. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { certificateFor } from './_certificate.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
let company: http.Server;
/** A host inside, which keeps what it is told. */
let inside: net.Server;
let port: number;
const asked: string[] = [];

const publish = async (spec: string): Promise<void> => {
  const before = plane.received('ack').filter(({ phase }) => phase === 'enforced').length;
  plane.publish(spec);
  await plane.push();
  await vi.waitFor(() => expect(plane.received('ack').filter(({ phase }) => phase === 'enforced').length).toBeGreaterThan(before), {
    timeout: 30_000,
    interval: 20,
  });
};
const allowing = (hosts: string, more = ''): string => `allow:
  filesystem: { write: ["\${workspace}"] }
  network: { hosts: [${hosts}] }
${more}`;
const near = (): string => `{ host: near.example, ports: [${port}], private: true }`;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  company = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('by way of the company\n');
  });
  inside = net.createServer((socket) => void socket.on('error', () => socket.destroy()).pipe(socket));
  for (const server of [company, inside]) await once(server.listen(0, '127.0.0.1'), 'listening');
  ({ port } = inside.address() as net.AddressInfo);
  installation = install(world, { 'near.example': '127.0.0.1' });
  const caFile = path.join(world.root, 'company.pem');
  fs.writeFileSync(caFile, certificateFor('ca.company.example').cert, { mode: 0o644 });
  plane.publish(allowing(`{ host: far.example, ports: [80] }, ${near()}`));
  expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
  const proxy = `http://127.0.0.1:${(company.address() as net.AddressInfo).port}`;
  daemon = await installation.daemon(['env', `CORDON_EGRESS_PROXY=${proxy}`, `CORDON_CA_FILE=${caFile}`]);
  await vi.waitFor(() => expect(plane.received('ack').at(-1)?.phase).toBe('enforced'), { timeout: 30_000, interval: 20 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  company?.close();
  inside?.close();
  world?.remove();
});

describe('a run in a company’s network', () => {
  it('goes out by the company’s proxy, and has its authorities', async () => {
    const { stdout } = await installation.sh(
      'curl -s http://far.example/x; grep -c CERTIFICATE "$NODE_EXTRA_CA_CERTS"; test -r "$SSL_CERT_FILE" && echo readable',
    );
    expect(stdout).toBe('by way of the company\n2\nreadable\n');
    expect(asked).toEqual(['GET http://far.example/x']);
  });

  it('is refused where a policy requires that private addresses are checked', async () => {
    await publish(allowing('{ host: far.example, ports: [80] }', 'required: [network.private]'));
    const { status, stderr } = await installation.sh('true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/network\.private.*\[launch\.required-unmet\]/s);
  });

  it('never reaches the control plane, whatever a policy allows', async () => {
    const { host } = new URL(plane.url);
    await publish(allowing(`{ host: 127.0.0.1, ports: [${host.split(':')[1]}], private: true }`));
    expect((await installation.sh(`curl -s http://${host}/`)).stdout).toContain('"error":"egress.own"');
  });

  it('keeps what a new policy allows, gets what it adds, and loses what it takes: at once, in one run', async () => {
    await publish(allowing(near()));
    const account = IS_ROOT ? ['--user', world.account.name] : [];
    const [node = '', ...before] = installation.command;
    const line = [
      `exec 3<>/dev/tcp/127.0.0.1/3128`,
      `printf 'CONNECT near.example:${port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nhello\\n' >&3`,
      `while IFS= read -r said <&3; do echo "$said"; done`,
      `echo the end`,
    ].join('\n');
    const run = spawn(node, [...before, 'run', ...account, '--', 'bash', '-c', line], { cwd: world.workspace, env: installation.env });
    const ended = once(run, 'exit');
    let said = '';
    run.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    run.stdin.end();
    await expect.poll(() => said, { timeout: 20_000 }).toContain('hello');
    const sockets = await new Promise<number>((resolve, reject) =>
      inside.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
    expect(sockets).toBe(1);
    await publish(allowing(`{ host: far.example, ports: [80] }, ${near()}`));
    expect(said).not.toContain('the end');
    await publish(allowing('{ host: far.example, ports: [80] }'));
    await expect.poll(() => said, { timeout: 5000 }).toContain('the end');
    await ended;
    expect(run.exitCode).toBe(0);
  });
});
