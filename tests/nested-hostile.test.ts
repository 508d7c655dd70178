/**
 * A run that speaks to the daemon itself, at its own door, and asks for runs inside it at places that mean something else on the host: its private /tmp, links that it
 * planted, folders that it exchanges while the daemon looks. None may show or change what the run was not given.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld } from '../apps/endpoint-agent/tests/_world.ts';

const NODE = fs.realpathSync(process.execPath);
const SECRET = 'the secret of the host';
const world = createWorld();
const secret = world.folder('secret');
world.file('secret/file', SECRET);
world.folder('secret/sub');
/** A folder of the host's /tmp, whose name a run can take in its own. */
const hostTmp = fs.mkdtempSync('/tmp/cordon-t12-');
let plane: ControlPlane;
let installation: Installation;
let daemon: Daemon | undefined;

beforeAll(async () => {
  fs.writeFileSync(path.join(hostTmp, 'file'), SECRET);
  for (const place of [hostTmp, path.join(hostTmp, 'file')]) {
    fs.chownSync(place, world.account.uid, world.account.gid);
    fs.chmodSync(place, 0o755);
  }
  plane = await startControlPlane();
  installation = install(world);
  // Every folder that policy lets be one may be a workspace: only the enclosure is in the way.
  plane.publish(
    `allow: { filesystem: { read: ["${path.dirname(NODE)}"], write: ["\${workspace}"] } }\nlimit: { resources: { processes: 200 } }`,
  );
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('ack').length).toBeGreaterThan(0), { timeout: 30_000 });
  fs.writeFileSync(path.join(world.workspace, 'client.mjs'), CLIENT);
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world.remove();
  fs.rmSync(hostTmp, { recursive: true, force: true });
});

/** Says exactly what it is given to the daemon, and prints what comes back: one JSON line for each request. */
const CLIENT = `import net from 'node:net';
import fs from 'node:fs';
const ask = (message) => new Promise((resolve) => {
  const socket = net.connect(process.env.CORDON_RUN_SOCKET);
  const body = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
  const header = Buffer.alloc(5);
  header.writeUInt32BE(body.length, 1);
  socket.write(Buffer.concat([header, body]));
  let rest = Buffer.alloc(0);
  const got = { output: '', codes: [], exitCode: null };
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const [kind, payload] = [rest[0], rest.subarray(5, 5 + rest.readUInt32BE(1)).toString()];
      rest = rest.subarray(5 + rest.readUInt32BE(1));
      if (kind !== 0) got.output += payload;
      else {
        const reply = JSON.parse(payload);
        if (reply.type === 'error') got.codes.push(reply.code);
        if (reply.type === 'ended') got.exitCode = reply.exitCode;
      }
      if (kind === 0 && ['error', 'ended', 'token'].includes(JSON.parse(payload).type)) socket.end();
    }
  });
  socket.on('close', () => resolve(got));
  socket.on('error', (error) => resolve({ ...got, codes: [...got.codes, error.code] }));
});
const { setup = [], requests, swap } = JSON.parse(fs.readFileSync(0, 'utf8'));
for (const [kind, ...args] of setup) fs[kind](...args);
let swapping = swap !== undefined;
const exchange = async () => {
  for (let i = 0; swapping; i += 1) {
    try { fs.renameSync(swap.place, swap.place + '-away'); fs.symlinkSync(swap.target, swap.place); } catch {}
    await new Promise(setImmediate);
    try { fs.unlinkSync(swap.place); fs.renameSync(swap.place + '-away', swap.place); } catch {}
    await new Promise(setImmediate);
  }
};
const exchanging = exchange();
for (const request of requests) console.log(JSON.stringify(await ask(request)));
swapping = false;
await exchanging;
`;

interface Got {
  readonly output: string;
  readonly codes: readonly string[];
  readonly exitCode: number | null;
}
interface Plan {
  /** Calls of node:fs inside the run, before it asks. */
  readonly setup?: readonly (readonly [call: string, ...args: unknown[]])[];
  readonly requests: readonly unknown[];
  readonly swap?: { readonly place: string; readonly target: string };
}

const hostile = async (plan: Plan): Promise<Got[]> => {
  const { stdout, stderr, status } = await installation.run([NODE, 'client.mjs'], { input: JSON.stringify(plan) });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Got);
};
/** Shows what is there, and leaves a mark. */
const LOOK = ['sh', '-c', 'pwd; cat file; ls; touch planted; echo done'];
const run = (cwd: string, more: object = {}): object => ({ op: 'run', argv: LOOK, cwd, ...more });
const at = (...names: readonly string[]): string => path.join(world.workspace, ...names);
const isUntouched = (): void => {
  for (const folder of [secret, path.join(secret, 'sub'), hostTmp]) expect(fs.existsSync(path.join(folder, 'planted')), folder).toBe(false);
  expect(fs.readFileSync(path.join(secret, 'file'), 'utf8')).toBe(SECRET);
};

describe('a run inside a run', () => {
  it('is had where both see the same: the workspace, and what lies in it', async () => {
    const [here, below] = await hostile({
      setup: [['mkdirSync', at('below'), { recursive: true }]],
      requests: [run(world.workspace), run(at('below'))],
    });
    expect([here?.exitCode, here?.codes, below?.exitCode, below?.codes]).toEqual([0, [], 0, []]);
    expect(fs.existsSync(at('below', 'planted'))).toBe(true);
  });

  it.each<readonly [what: string, plan: () => Plan]>([
    ['at a place in its own /tmp that the host has too', () => ({ setup: [['mkdirSync', hostTmp]], requests: [run(hostTmp)] })],
    ['at a place that only the host has', () => ({ requests: [run(secret)] })],
    ['through a link in the workspace to it', () => ({ setup: [['symlinkSync', secret, at('link-1')]], requests: [run(at('link-1'))] })],
    ['below a link to it', () => ({ setup: [['symlinkSync', secret, at('link-2')]], requests: [run(at('link-2', 'sub'))] })],
    [
      'below a link to the root of everything',
      () => ({ setup: [['symlinkSync', '/', at('link-3')]], requests: [run(`${at('link-3')}${secret}`)] }),
    ],
    [
      'through a link to a link, each of which the run sees as its own /tmp',
      () => ({
        setup: [
          ['symlinkSync', hostTmp, at('link-4')],
          ['mkdirSync', hostTmp],
          ['symlinkSync', at('link-4'), at('link-5')],
        ],
        requests: [run(at('link-5'))],
      }),
    ],
    ['by a way back up', () => ({ requests: [run(`${world.workspace}/../secret`)] })],
    [
      'by the root of another process',
      () => ({ requests: [run(`/proc/self/root${secret}`), run(`/proc/1/root${secret}`), run(`/proc/1/cwd`)] }),
    ],
    ['at the root itself', () => ({ requests: [run('/proc'), run('/dev'), run(world.root)] })],
  ])('is not had %s', async (_what, plan) => {
    for (const { output, codes, exitCode } of await hostile(plan())) {
      expect(output).not.toContain(SECRET);
      expect(codes).toEqual([expect.stringMatching(/^launch\.(enclosure|workspace|path-link|path-missing|no-policy)$/)]);
      expect(exitCode).toBeNull();
    }
    isUntouched();
  });

  it('gets no more by a manifest that names what the run was not given', async () => {
    const manifest = (level: string): string => `apiVersion: cordon/v1
kind: AgentManifest
metadata: { name: greedy }
needs: { ${level}: { filesystem: { read: ["${secret}"], write: ["${hostTmp}"] } } }
`;
    const [required, optional] = await hostile({
      requests: ['required', 'optional'].map((level) => run(world.workspace, { manifest: manifest(level) })),
    });
    expect(required?.codes).toEqual([expect.stringMatching(/^launch\./)]);
    for (const got of [required, optional]) expect(got?.output).not.toContain(SECRET);
    isUntouched();
  });

  it('shows nothing of it while the place is exchanged for a link to it, again and again', async () => {
    fs.rmSync(at('swapped'), { recursive: true, force: true });
    const results = await hostile({
      setup: [['mkdirSync', at('swapped')]],
      requests: Array.from({ length: 40 }, () => run(at('swapped'))),
      swap: { place: at('swapped'), target: secret },
    });
    expect(results).toHaveLength(40);
    for (const { output } of results) expect(output).not.toContain(SECRET);
    isUntouched();
  }, 120_000);

  it('is nobody else’s, whatever the message says', async () => {
    const results = await hostile({
      requests: [
        run(world.workspace, { user: 'root' }),
        run(world.workspace, { parent: 'run_0000000000000000' }),
        run(world.workspace, { inside: null }),
        { op: 'token', audience: 'api.example.com', run: 'run_0000000000000000' },
        { op: 'token', audience: 'api.example.com' },
        { op: 'token', audience: '*' },
        { op: 'token', audience: 'a'.repeat(265) },
        { op: 'why', target: secret, access: 'read', cwd: '/' },
        { op: 'rotate-key' },
        '{"op":"run","op":"status"',
        'null',
      ],
    });
    expect(results.map(({ codes }) => codes[0])).toEqual([
      'local.user',
      'local.request',
      'local.request',
      'local.request',
      'identity.audience',
      'host.invalid',
      'local.request',
      'local.inside',
      'local.inside',
      'local.request',
      'local.request',
    ]);
  });
});
