/** The way out of a run, from inside a real sandbox: ordinary programs, forwards, the company's authorities, budgets, and a proxy process that dies. */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installAuthorities } from '../src/launch/authorities.ts';
import { certificateFor, type Certificate } from './_certificate.ts';
import { finish, planOf, startLauncher, type TestLauncher } from './_launcher.ts';
import { createWorld, type World } from './_world.ts';

let world: World;
let test: TestLauncher;
let web: http.Server;
let secure: https.Server;
let database: net.Server;
let certificate: Certificate;
let ports: { web: number; secure: number; database: number };

const portOf = async (server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
};

beforeAll(async () => {
  world = createWorld();
  certificate = certificateFor('secure.example');
  web = http.createServer((request, response) => void request.resume().once('end', () => response.end('from the web')));
  secure = https.createServer({ key: certificate.key, cert: certificate.cert }, (_request, response) => response.end('over TLS'));
  database = net.createServer((socket) => void socket.on('error', () => undefined).end('a greeting of its own\n'));
  ports = { web: await portOf(web), secure: await portOf(secure), database: await portOf(database) };
  test = await startLauncher(world, { 'web.example': '127.0.0.1', 'secure.example': '127.0.0.1', 'db.example': '127.0.0.1' });
});
afterAll(async () => {
  await test?.stop();
  for (const server of [web, secure]) server.closeAllConnections();
  for (const server of [web, secure, database]) server.close();
  world.remove();
});

/** @param more rules of the network */
const allowing = (network: string, more = '') =>
  planOf(
    world,
    `allow:\n  filesystem: { read: ["${path.dirname(process.execPath)}"], write: ["\${workspace}"] }\n  network: { ${network} }\n${more}`,
  );
const hosts = (): string =>
  `hosts: [{ host: web.example, ports: [${ports.web}], private: true }, { host: secure.example, ports: [${ports.secure}], private: true }]`;

describe('a run', () => {
  it('reaches what is allowed with ordinary programs, and is told what is not and whom to ask', async () => {
    const { stdout } = await test.sh(
      `curl -s http://web.example:${ports.web}/; echo; curl -s http://other.example/; ${process.execPath} -e 'fetch("http://web.example:${ports.web}/").then((r) => r.text()).then(console.log)'`,
      { plan: allowing(hosts()) },
    );
    const [fetched, denied, byNode] = stdout.trimEnd().split('\n');
    expect([fetched, byNode]).toEqual(['from the web', 'from the web']);
    expect(JSON.parse(denied ?? '')).toMatchObject({ error: 'egress.denied', host: 'other.example', rule: 'default-deny' });
    expect(denied).toContain('cordon request other.example:80');
  });

  it('finds a forward at a port of its own, and by CONNECT; a program that knows no proxy gets there', async () => {
    const forwards = `forwards: [{ host: db.example, port: ${ports.database}, at: 15432, private: true }]`;
    const { stdout } = await test.sh(
      'socat - TCP:127.0.0.1:15432; socat - PROXY:127.0.0.1:db.example:' + ports.database + ',proxyport=3128',
      {
        plan: allowing(forwards),
      },
    );
    expect(stdout).toBe('a greeting of its own\n'.repeat(2));
    const denied = await test.sh('socat - TCP:127.0.0.1:15432', {
      plan: allowing(forwards, 'deny: { network: { hosts: [{ host: db.example }] } }'),
    });
    expect(denied.stdout).toBe('');
    expect(test.decisions.at(-1)).toMatchObject({ verdict: 'denied', host: 'db.example' });
  });

  it('trusts the company’s authorities by every program’s own way, and gets no key', async () => {
    const authorities = installAuthorities(path.join(world.root, 'authorities'), [certificate.cert]);
    const launcher = test.another({ authorities });
    const line = [
      `curl -s https://secure.example:${ports.secure}/; echo`,
      `${process.execPath} -e 'fetch("https://secure.example:${ports.secure}/").then((r) => r.text()).then(console.log)'`,
      `grep -l PRIVATE "$(dirname "$SSL_CERT_FILE")"/*; touch "$(dirname "$SSL_CERT_FILE")/x" 2>/dev/null && echo WROTE`,
    ].join('\n');
    const run = await launcher.launch(test.request(['sh', '-c', line], { plan: allowing(hosts()) }));
    expect((await finish(run)).stdout).toBe('over TLS\nover TLS\n');
    const without = await test.sh(`curl -s https://secure.example:${ports.secure}/ || echo REFUSED`, { plan: allowing(hosts()) });
    expect(without.stdout).toBe('REFUSED\n');
  });

  it('moves as many bytes as its limit says, and then no more', async () => {
    const plan = allowing(hosts(), 'limit: { resources: { upload: 1MiB } }');
    const { stdout } = await test.sh(
      `head -c 300000 /dev/zero | curl -s -o /dev/null -w '%{http_code}\\n' --data-binary @- http://web.example:${ports.web}/
       head -c 3000000 /dev/zero | curl -s -o /dev/null -w '%{http_code}\\n' --data-binary @- http://web.example:${ports.web}/ || echo CUT
       curl -s http://web.example:${ports.web}/`,
      { plan },
    );
    expect(stdout).toMatch(/^200\n\d{3}\nCUT\n/);
    expect(stdout).toContain('"error":"egress.budget"');
  });

  it('goes on when the proxy process is killed, and gets its way out back', async () => {
    const run = await test.launcher.launch(
      test.request(['sh', '-c', `read -r _; curl -s --retry 20 --retry-all-errors --retry-delay 1 http://web.example:${ports.web}/`], {
        plan: allowing(hosts()),
      }),
    );
    const before = test.egress.pid() ?? 0;
    process.kill(before, 'SIGKILL');
    await expect.poll(() => test.egress.pid(), { timeout: 10_000 }).not.toBe(before);
    expect((await finish(run, 'go\n')).stdout).toBe('from the web');
  });
});
