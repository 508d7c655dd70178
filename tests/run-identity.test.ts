/** The identity of runs from end to end: a real control plane, a real daemon, runs in real sandboxes, and a third party that knows nothing but the issuer's address. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import { ALL_DEVICES } from '../apps/control-plane/src/groups/group.ts';
import { startPlane, type TestPlane } from '../apps/control-plane/tests/_util.ts';
import { certificateFor } from '../apps/endpoint-agent/tests/_certificate.ts';
import { enrol, install, type Daemon, type Installation, type Outcome } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT } from '../apps/endpoint-agent/tests/_world.ts';

const SLOW = { timeout: 60_000, interval: 100 };
const REPOSITORY = fs.realpathSync(path.join(import.meta.dirname, '..'));
const NODE = fs.realpathSync(process.execPath);
const CORDON = `${NODE} --disable-warning=ExperimentalWarning ${path.join(REPOSITORY, 'apps/endpoint-agent/bin/cordon.js')}`;
const AUDIENCE = 'https://api.example.com';

const world = createWorld();
let plane: TestPlane;
let installation: Installation;
let daemon: Daemon | undefined;
let device: string;
let policyId: string;

const policyYaml = (hosts: string): string => `apiVersion: cordon/v1
kind: ContainmentPolicy
metadata: { name: agents }
spec:
  allow:
    filesystem:
      read: ["${REPOSITORY}", "${path.dirname(NODE)}"]
      write: ["\${workspace}"]
    network: { hosts: [{ host: reached.example.com }, { host: api.example.com }] }
    identity: { hosts: [${hosts}] }
`;
/** The company's proxy, which leads every name to one HTTPS server: that of api.example.com. What it was asked, with which credentials. */
const seen: { readonly url: string; readonly authorization: string | undefined }[] = [];
const startCompany = async (): Promise<readonly string[]> => {
  const { key, cert } = certificateFor('api.example.com');
  const server = https.createServer({ key, cert }, (request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    if (request.url === '/away') response.writeHead(302, { location: 'http://reached.example.com/' });
    response.end('hello\n');
  });
  const front = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      server.emit('connection', socket);
    });
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  closeCompany = () => {
    server.closeAllConnections();
    front.close();
  };
  const caFile = path.join(world.root, 'company.pem');
  fs.writeFileSync(caFile, cert, { mode: 0o644 });
  return [`CORDON_EGRESS_PROXY=http://127.0.0.1:${(front.address() as net.AddressInfo).port}`, `CORDON_CA_FILE=${caFile}`];
};
let closeCompany: () => void = () => undefined;

const publish = async (title: string): Promise<void> => {
  const { status, body } = await plane.admin('POST', '/publish', { body: { title } });
  expect([status, JSON.stringify(body)]).toEqual([201, expect.any(String)]);
};

beforeAll(async () => {
  plane = await startPlane();
  const made = await plane.admin<{ id: string }>('POST', '/policies', { body: { yaml: policyYaml('api.example.com, other.example.com') } });
  policyId = made.body.id;
  await plane.admin('POST', '/assignments', { body: { policyId, groupId: ALL_DEVICES.id, mode: 'include' } });
  await publish('who may receive the identity of runs');
  installation = install(world);
  const { body } = await plane.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'laptop' } });
  expect(await enrol(installation, world, plane.plane.deviceUrl, body.token)).toMatchObject({ status: 0, stderr: '' });
  daemon = await installation.daemon(['/usr/bin/env', ...(await startCompany())]);
  device = (await plane.admin<{ items: { id: string }[] }>('GET', '/devices')).body.items[0]?.id ?? '';
  const state = async (): Promise<string> => (await plane.admin<{ state: string }>('GET', `/devices/${device}/compliance`)).body.state;
  await vi.waitFor(async () => expect(await state(), daemon?.log()).toBe('Compliant'), SLOW);
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.close();
  closeCompany();
  world.remove();
});

/** A shell line in a run; `cordon` there is the command. */
const inside = (line: string, options: Parameters<Installation['run']>[1] = {}): Promise<Outcome> =>
  installation.run(['sh', '-c', `cordon() { ${CORDON} "$@"; }\n${line}`], options);
const codeIn = ({ stderr }: Outcome): string | undefined => /\[([a-z.-]+)\]\n$/.exec(stderr)?.[1];

/** As a third party: from the issuer's address alone. */
const verify = async (token: string, audience = AUDIENCE): Promise<RunTokenClaims> => {
  const issuer = plane.plane.deviceUrl;
  const { jwks_uri } = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as { jwks_uri: string };
  const { payload } = await jwtVerify<RunTokenClaims>(token, createRemoteJWKSet(new URL(jwks_uri)), {
    issuer,
    audience,
    typ: 'cordon-run-token+jwt',
    algorithms: ['Ed25519'],
  });
  return payload;
};
const isActive = async (token: string): Promise<boolean> =>
  (await plane.admin<{ active: boolean }>('POST', '/identity/introspect', { body: { token } })).body.active;

/** A run that goes on until its input ends, and what it has said so far. */
const waiting = async (line: string): Promise<{ readonly said: () => string; readonly child: ChildProcess; end(): Promise<void> }> => {
  const [node = '', ...program] = installation.command;
  const user = IS_ROOT ? ['--user', world.account.name] : [];
  const child = spawn(node, [...program, 'run', ...user, '--', 'sh', '-c', `cordon() { ${CORDON} "$@"; }\n${line}\ncat`], {
    cwd: world.workspace,
    env: { ...installation.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await expect.poll(() => said, SLOW).toContain('\n');
  return {
    said: () => said,
    child,
    end: async () => {
      child.stdin.end();
      await expect.poll(() => child.exitCode, SLOW).not.toBeNull();
    },
  };
};

describe('a run', () => {
  it('gets a token that others verify; it counts until the run ends', async () => {
    const run = await waiting(`cordon token --audience api.example.com --json | tr -d '\\n'; echo`);
    const given = JSON.parse(run.said()) as { token: string; audience: string; expiresAt: string };
    const claims = await verify(given.token);
    expect(claims).toMatchObject({
      aud: AUDIENCE,
      verified: {
        organisation: plane.plane.context.organisation.orgId,
        device,
        compliance: 'Compliant',
        assurance: IS_ROOT ? 'system' : 'user',
        bundle: (await installation.status()).enforcing?.digest,
      },
      asserted: {
        parents: [],
        user: { name: world.account.name, kind: 'local' },
        agent: { id: 'unknown', proof: 'claimed' },
        delivery: 'workload',
      },
    });
    expect([given.audience, Date.parse(given.expiresAt)]).toEqual([AUDIENCE, claims.exp * 1000]);
    expect(Date.parse(given.expiresAt) - Date.now()).toBeLessThanOrEqual(300_000);
    expect(await isActive(given.token)).toBe(true);
    const told = async (): Promise<unknown> =>
      (await plane.admin<{ items: unknown[] }>('GET', `/telemetry/events?kind=run.token&run=${claims.sub}`)).body.items;
    await expect
      .poll(told, SLOW)
      .toEqual([expect.objectContaining({ run: claims.sub, verdict: 'allowed', target: AUDIENCE, detail: { delivery: 'workload' } })]);
    await run.end();
    await expect.poll(() => isActive(given.token), SLOW).toBe(false);
  });

  it('gets the same token again while it lasts, and another for another audience', async () => {
    const line =
      'cordon token --audience api.example.com; cordon token --audience https://api.example.com; cordon token --audience other.example.com';
    const { stdout, stderr } = await inside(line);
    const [first = '', second = '', other = ''] = stdout.trim().split('\n');
    expect([stderr, second]).toEqual(['', first]);
    expect((await verify(other, 'https://other.example.com')).sub).toBe((await verify(first)).sub);
    await expect(verify(first, 'https://other.example.com')).rejects.toThrow('"aud"');
  });

  it('inside runs has a token of its own that names its parents, three levels deep', async () => {
    fs.writeFileSync(
      path.join(world.workspace, 'level'),
      `cordon() { ${CORDON} "$@"; }\ncordon token --audience api.example.com\nif [ "$1" != 1 ]; then cordon run -- sh ./level $(($1 - 1)); fi\n`,
    );
    const { stdout, stderr } = await installation.run(['sh', './level', '3']);
    expect(stderr).toBe('');
    const levels = await Promise.all(
      stdout
        .trim()
        .split('\n')
        .map((token) => verify(token)),
    );
    const [top, middle, deepest] = levels.map(({ sub }) => sub);
    expect(levels.map(({ asserted }) => asserted.parents)).toEqual([[], [top], [middle, top]]);
    expect(new Set([top, middle, deepest]).size).toBe(3);
    expect(new Set(levels.map(({ verified }) => verified.device))).toEqual(new Set([device]));
  });

  it.each([
    ['a host that may only be reached', 'cordon token --audience reached.example.com', 'identity.audience'],
    ['a host that no policy names', 'cordon token --audience evil.example', 'identity.audience'],
    ['every host at once', "cordon token --audience '*'", 'host.invalid'],
    ['what is no host', 'cordon token --audience "https://api.example.com/admin"', 'host.invalid'],
  ])('gets none for %s', async (_what, line, code) => {
    const outcome = await inside(line);
    expect([outcome.stdout, codeIn(outcome), outcome.status]).toEqual(['', code, 125]);
  });

  it('is the only one that gets it: neither outside, nor at its door from elsewhere', async () => {
    const outside = await installation.cordon(['token', '--audience', 'api.example.com']);
    expect([outside.stdout, codeIn(outside)]).toEqual(['', 'identity.outside']);
    const run = await waiting('echo "$CORDON_RUN_SOCKET"');
    const elsewhere = await installation.cordon(['token', '--audience', 'api.example.com'], {
      env: { CORDON_RUN_SOCKET: run.said().trim() },
    });
    expect([elsewhere.stdout, codeIn(elsewhere)]).toEqual(['', 'local.origin']);
    await run.end();
  });

  it('leaves its token nowhere: not in the daemon’s log, its state, or its sockets’ folder', async () => {
    const { stdout } = await inside('cordon token --audience api.example.com');
    const token = stdout.trim();
    const signature = token.split('.').at(-1) ?? '';
    expect(signature).toMatch(/^[A-Za-z0-9_-]{86}$/);
    const places = [installation.stateDir, installation.runtimeDir, plane.stateDir].flatMap((folder) =>
      fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
    );
    expect(places.length).toBeGreaterThan(5);
    for (const { parentPath, name } of places) expect(fs.readFileSync(path.join(parentPath, name)).includes(signature), name).toBe(false);
    expect(daemon?.log()).not.toContain(signature);
  });
});

describe.runIf(IS_ROOT)('the proxy', () => {
  it('attaches it to the host that a policy names, on TLS of its own, in place of what the run sent; the run never sees it', async () => {
    seen.splice(0);
    const outcome = await inside("curl -sS -H 'Authorization: Bearer forged' http://api.example.com/x; env");
    expect([outcome.stdout.split('\n')[0], outcome.stderr]).toEqual(['hello', '']);
    const [asked] = seen;
    expect([seen.length, asked?.url, asked?.authorization?.slice(0, 7)]).toEqual([1, '/x', 'Bearer ']);
    const token = asked?.authorization?.slice(7) ?? '';
    expect((await verify(token)).asserted).toMatchObject({ delivery: 'proxy', user: { name: world.account.name } });
    expect(outcome.stdout).not.toContain(token);
    await expect.poll(() => isActive(token), SLOW).toBe(false); // the run has ended
  });

  it('attaches it to nothing else: no tunnel, no other host, no other name or port, and follows no redirect', async () => {
    seen.splice(0);
    const { stdout } = await inside(
      `curl -sSk https://api.example.com/tunnel; curl -sS http://api.example.com/away; for url in http://reached.example.com/ http://api.example.com:8080/ http://API.example.com.evil.example/; do curl -s -o /dev/null -w '%{http_code}\n' $url; done`,
    );
    expect(stdout).toBe('hello\nhello\n403\n403\n403\n');
    expect(seen.map(({ url }) => url)).toEqual(['/tunnel', '/away']);
    expect(seen.map(({ authorization }) => authorization?.slice(0, 7))).toEqual([undefined, 'Bearer ']);
  });
});

describe('what is in force', () => {
  it('decides at once: an audience that is taken away counts no more, for runs that live too', async () => {
    const run = await waiting(
      'cordon token --audience api.example.com; while read -r line; do cordon token --audience api.example.com 2>&1; echo .; done',
    );
    const [token = ''] = run.said().trim().split('\n');
    await verify(token);
    await plane.admin('POST', `/policies/${policyId}/revisions`, { body: { yaml: policyYaml('other.example.com') } });
    const before = (await installation.status()).enforcing?.digest;
    await publish('one audience less');
    await expect.poll(async () => (await installation.status()).enforcing?.digest, SLOW).not.toBe(before);
    run.child.stdin?.write('\n');
    await expect.poll(run.said, SLOW).toContain('[identity.audience]');
    await run.end();
  });
});
