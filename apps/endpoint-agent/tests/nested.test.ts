/** `cordon run` inside a run. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { InsideStatus } from '../src/local-api/protocol.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation, type Outcome } from './_daemon.ts';
import { sitDown } from './_terminal.ts';
import { createWorld, IS_ROOT, processesWith, type World } from './_world.ts';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;
/** The command as a run can start it: its own program and Node must be readable there. */
let cordon: string;
let shared: string;

const REPOSITORY = fs.realpathSync(path.join(import.meta.dirname, '../../..'));
const NODE = fs.realpathSync(process.execPath);

const usual = (): string => `allow:
  filesystem:
    read: ["${REPOSITORY}", "${path.dirname(NODE)}", "${shared}"]
    write: ["\${workspace}"]
  environment: [WORD]
limit: { resources: { processes: 60 } }`;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  shared = world.folder('shared');
  world.file('shared/note', 'a note\n');
  cordon = `${NODE} ${path.join(import.meta.dirname, '../bin/cordon.js')}`;
  plane.publish(usual());
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('ack').length).toBeGreaterThan(0), { timeout: 30_000 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const events = (): { readonly kind: string; readonly [name: string]: unknown }[] =>
  plane.received('telemetry').flatMap((frame) => [...frame.events]);
/** A shell line in a run; `cordon` there is the command. */
const inside = (line: string, options: Parameters<Installation['run']>[1] = {}): Promise<Outcome> =>
  installation.run(['sh', '-c', `cordon() { ${cordon} "$@"; }\n${line}`], options);
const lines = ({ stdout }: Outcome): InsideStatus[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as InsideStatus);
const ownStatus = "cordon status --json | tr -d '\\n'; echo";

describe('runs inside runs', () => {
  it('nest three levels deep, each knows its parent, input, output and status pass, and telemetry has the tree', async () => {
    const script = path.join(world.workspace, 'level');
    fs.writeFileSync(
      script,
      `cordon() { ${cordon} "$@"; }\n${ownStatus}\nif [ "$1" = 1 ]; then cat; exit 7; fi\ncordon run -- sh ./level $(($1 - 1))\n`,
    );
    const outcome = await installation.run(['sh', './level', '3'], { input: 'deep\n' });
    expect({ status: outcome.status, stderr: outcome.stderr }).toEqual({ status: 7, stderr: '' });
    expect(outcome.stdout.endsWith('}\ndeep\n')).toBe(true);
    const levels = lines({ ...outcome, stdout: outcome.stdout.replace('deep\n', '') });
    expect(levels.map(({ parent }) => parent)).toEqual([null, levels[0]?.run, levels[1]?.run]);
    expect(levels.map(({ levels: left }) => left)).toEqual([7, 6, 5]);
    expect(new Set(levels.map(({ user }) => user))).toEqual(new Set([world.account.name]));
    const parentsOf = (): unknown[] =>
      levels.map(({ run }) => events().find((event) => event.kind === 'run.started' && event['run'] === run)?.['parent']);
    await expect.poll(parentsOf, { timeout: 20_000 }).toEqual([undefined, levels[0]?.run, levels[1]?.run]);
    expect((await installation.status()).runs).toBe(0);
  });

  it('may do no more than their parent, whatever they ask for', async () => {
    const manifest = path.join(world.root, 'narrow.yaml');
    fs.writeFileSync(
      manifest,
      `apiVersion: cordon/v1
kind: AgentManifest
metadata: { name: narrow }
needs: { required: { filesystem: { read: ["${REPOSITORY}", "${path.dirname(NODE)}", "\${workspace}"] } } }
`,
    );
    const line = `cordon run -- sh -c 'cat ${shared}/note || echo "no note"; touch made || echo "no write"' 2>/dev/null`;
    const free = await inside(line);
    expect(free.stdout).toBe('a note\n');
    const user = IS_ROOT ? ['--user', world.account.name] : [];
    const narrow = await installation.cordon([
      'run',
      ...user,
      '--manifest',
      manifest,
      '--',
      'sh',
      '-c',
      `cordon() { ${cordon} "$@"; }\n${line}`,
    ]);
    expect({ stdout: narrow.stdout, stderr: narrow.stderr }).toEqual({ stdout: 'no note\nno write\n', stderr: '' });
  });

  it('have a terminal of their own where their parent has one, and it follows the window', async () => {
    const user = IS_ROOT ? ['--user', world.account.name] : [];
    const inner = `trap 'echo "now $(stty size)"' WINCH; tty; stty size; echo ready; while :; do read -r -t 3600 line; [ "$line" = end ] && exit 9; [ "$line" = size ] && stty size; done`;
    const person = await sitDown(
      [
        ...installation.command,
        'run',
        ...user,
        '--',
        'sh',
        '-c',
        `${cordon} run -- bash -c '${inner.replaceAll("'", `'\\''`)}'; echo "status $?"`,
      ],
      { env: { ...installation.env, TERM: 'xterm' }, cwd: world.workspace },
    );
    await person.sees(/\/dev\/pts\/0\r\n40 100\r\nready/);
    person.resize({ rows: 30, columns: 90 });
    // Rows and columns are two changes, and a shell may hear of both at once.
    await person.sees(/now 30 /);
    person.type('size\n');
    await person.sees(/30 90/);
    person.type('end\n');
    await person.sees('status 9');
    expect(await person.ended).toBe(0);
    person.leave();
  });

  it('get the values that their parent has, and only what policies pass on', async () => {
    const { stdout } = await inside(`OTHER=x; export OTHER; cordon run -- sh -c 'echo "$WORD $OTHER."'`, { env: { WORD: 'given' } });
    expect(stdout).toBe('given .\n');
  });

  it("cannot be had in a place that is the parent's own", async () => {
    const { stdout, stderr, status } = await inside(`mkdir /tmp/mine && cd /tmp/mine && cordon run -- true`);
    expect({ stdout, status }).toEqual({ stdout: '', status: 125 });
    expect(stderr).toMatch(/\[launch\.enclosure\]\n$/);
  });

  it('are all that a run may ask for, and only as itself', async () => {
    const { stdout, stderr } = await inside(
      `cordon why /etc; cordon rotate-key; cordon run --user root -- id -u; cordon run --user ${world.account.name} -- id -u`,
    );
    expect(stdout).toBe(`${world.account.uid}\n`);
    expect([...stderr.matchAll(/\[([a-z.-]+)\]\n/g)].map(([, code]) => code)).toEqual(['local.inside', 'local.inside', 'local.user']);
  });

  it('end at a depth', async () => {
    const script = path.join(world.workspace, 'deeper');
    fs.writeFileSync(script, `echo "level $1"; ${cordon} run -- sh ./deeper $(($1 + 1))\n`);
    const { stdout, stderr, status } = await installation.run(['sh', './deeper', '1']);
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 8 }, (_, i) => `level ${i + 1}`));
    expect(stderr).toMatch(/^cordon: [^\n]*\[run\.too-deep\]\n$/);
    expect(status).toBe(125);
  });

  it('end with their parent, also when nobody there waits for them', async () => {
    const mark = `nested-${randomBytes(6).toString('hex')}`;
    const outcome = await inside(
      `setsid ${cordon} run -- sh -c 'trap "" TERM HUP; echo >ready; sleep 3600' ${mark} >/dev/null 2>&1 </dev/null &
until [ -e ready ]; do sleep 0.05; done
setsid ${cordon} run -- sh -c 'echo >ready2; ${cordon} run -- sh -c "echo >ready3; sleep 3600" ${mark}' >/dev/null 2>&1 </dev/null &
until [ -e ready3 ]; do sleep 0.05; done
exit 5`,
    );
    expect(outcome.status).toBe(5);
    await expect.poll(() => processesWith(mark), { timeout: 10_000 }).toEqual([]);
    await expect.poll(async () => (await installation.status()).runs, { timeout: 30_000 }).toBe(0);
  });

  it('end when what is in force now gives their parent less', async () => {
    const child = inside(`cordon run -- sh -c 'cat ${shared}/note; sleep 3600'`);
    await expect.poll(async () => (await installation.status()).runs, { timeout: 20_000 }).toBe(2);
    plane.publish(`${usual().replace(`, "${shared}"`, '')}\ngrace: 0s`);
    await plane.push();
    expect((await child).status).toBe(137);
    await expect.poll(async () => (await installation.status()).runs, { timeout: 10_000 }).toBe(0);
    plane.publish(usual());
    await plane.push();
    await expect.poll(async () => (await inside(`cat ${shared}/note`)).stdout, { timeout: 20_000 }).toBe('a note\n');
  });
});

describe('who asks', () => {
  /** A run that waits, with its door. */
  const waiting = async (): Promise<{ readonly door: string; readonly run: string; readonly init: number; end(): Promise<void> }> => {
    const [node = '', ...program] = installation.command;
    const user = IS_ROOT ? ['--user', world.account.name] : [];
    const child = spawn(node, [...program, 'run', ...user, '--', 'sh', '-c', 'echo "$CORDON_RUN_SOCKET"; cat'], {
      cwd: world.workspace,
      env: { ...installation.env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 20_000 }).toContain('\n');
    const [run = ''] = fs.readdirSync(path.join(installation.stateDir, 'runs'));
    const { pid } = JSON.parse(fs.readFileSync(path.join(installation.stateDir, 'runs', run), 'utf8')) as { pid: number };
    return {
      door: said.trim(),
      run,
      init: pid,
      end: async () => {
        child.stdin.end();
        await expect.poll(() => child.exitCode, { timeout: 20_000 }).toBe(0);
      },
    };
  };

  it('at a door is the run behind it, or nobody', async () => {
    const run = await waiting();
    expect(run.door).toMatch(/\/inside\/[^/]+\/cordon\.sock$/);
    const outside = await installation.cordon(['status'], { env: { CORDON_RUN_SOCKET: run.door } });
    expect(outside.status).toBe(125);
    expect(outside.stderr).toContain('[local.origin]');
    const other = await inside(`${cordon} status --json`, {});
    expect(JSON.parse(other.stdout)).toMatchObject({ parent: null });
    await run.end();
    expect(fs.existsSync(run.door)).toBe(false);
  });

  it.skipIf(!IS_ROOT)('from inside is that run, also through the socket of its account or of root', async () => {
    const run = await waiting();
    const [node = '', ...program] = installation.command;
    const ask = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      new Promise<string>((resolve) => {
        const child = spawn('nsenter', [`--net=/proc/${run.init}/ns/net`, node, ...program, ...args], {
          env: { ...installation.env, ...env },
        });
        let said = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
        child.once('close', () => resolve(said));
      });
    // Everything of this process is root's and outside, but for the network that it is in.
    expect(JSON.parse(await ask(['status', '--json']))).toMatchObject({ run: run.run, user: world.account.name });
    expect(await ask(['why', '/etc'])).toContain('[local.inside]');
    expect(await ask(['run', '--user', 'root', '--', 'id'])).toContain('[local.user]');
    const strange = spawn('unshare', ['--net', node, ...program, 'status'], { env: { ...installation.env } });
    let said = '';
    strange.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await expect.poll(() => said, { timeout: 20_000 }).toContain('[local.origin]');
    await run.end();
  });
});
