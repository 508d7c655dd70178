/** What a person learns of a run afterwards: `cordon explain`, `cordon runs`, `cordon logs`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Explained } from '../src/run-log/explained.ts';
import type { RunSummary } from '../src/run-log/requests.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

/** A command takes a moment, and longer on a machine that is busy. */
const SLOW = { timeout: 30_000 };

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;

const ask = (host: string): string =>
  `printf 'CONNECT ${host}:443 HTTP/1.1\\r\\nHost: ${host}:443\\r\\n\\r\\n' | socat -t 5 - TCP:127.0.0.1:3128 | head -n 1`;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  plane.publish(`allow:
  filesystem: { write: ["\${workspace}"] }
  environment: [LANG]
  network: { hosts: [{ host: allowed.example }] }
deny:
  workspaces: ["${world.root}/forbidden"]
  network: { hosts: [{ host: evil.example }] }
limit:
  resources: { timeout: 1h }`);
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('selftest').length).toBeGreaterThan(0), { timeout: 30_000 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

const json = async <T>(...args: string[]): Promise<T> => {
  const { status, stdout, stderr } = await installation.cordon([...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as T;
};
const newest = async (): Promise<RunSummary> => {
  const [run] = await json<RunSummary[]>('runs');
  if (run === undefined) throw new Error('no run is remembered');
  return run;
};

describe('a run that was blocked', () => {
  it('is explained: what it was given, each denial with its rule and whom to ask, and its end', async () => {
    const { stdout } = await installation.sh(`${ask('evil.example')}; ${ask('evil.example')}; ${ask('other.example')}; exit 9`);
    expect(stdout).toMatch(/^(HTTP\/1.1 403 [^\n]+\n){3}$/);
    const { run } = await newest();
    await expect.poll(async () => (await json<Explained>('explain', run)).denied.length, SLOW).toBe(2);
    const explained = await json<Explained>('explain', run);
    expect(explained).toMatchObject({
      run,
      user: world.account.name,
      state: 'ended',
      program: 'sh',
      given: {
        cwd: world.workspace,
        hosts: ['allowed.example'],
        environment: ['LANG'],
        limits: ['3600 seconds'],
        policies: [{ name: 'story', revision: 1 }],
      },
      ended: { reason: 'exited', exitCode: 9 },
      unrecorded: 0,
    });
    expect(explained.given?.write).toContain(world.workspace);
    expect(explained.given?.attestation.mounts).toBeGreaterThan(3);
    const [evil, other] = [...explained.denied].sort((a, b) => (a.target < b.target ? -1 : 1));
    expect(evil).toMatchObject({ target: 'evil.example:443', times: 2, policy: 'story' });
    expect(evil?.rule).toMatch(/^r_[0-9a-f]+$/);
    expect(other).toMatchObject({ target: 'other.example:443', times: 1, rule: 'default-deny', reason: 'no rule allows it' });
    const words = (await installation.cordon(['explain', run])).stdout;
    expect(words).toContain(`connect evil.example:443, twice: rule ${evil?.rule} of policy story denies it\n`);
    expect(words).toContain('to have it allowed, ask');
    expect(words).toMatch(/the command ended by itself, with status 9, after \d/);
    // Without its name, the newest is explained.
    expect(await json<Explained>('explain')).toMatchObject({ run });
  });

  it('is among the runs, and its events can be read', async () => {
    const { run, denials, exitCode, state } = await newest();
    expect({ denials, exitCode, state }).toEqual({ denials: 2, exitCode: 9, state: 'ended' });
    const { stdout } = await installation.cordon(['logs', run]);
    expect(stdout).toMatch(/ started: sh, checked before it began\n/);
    expect(stdout).toMatch(/ denied: evil\.example:443, rule r_/);
    expect(stdout).toMatch(/ ended: status 9, after /);
    const lines = (await installation.cordon(['logs', run, '--json'])).stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind).slice(0, 2)).toEqual(['given', 'run.started']);
  });

  it('that did not even start is remembered with what its caller was told', async () => {
    const { status, stderr } = await installation.run(['true'], { cwd: world.folder('forbidden') });
    expect(status).toBe(125);
    const explained = await json<Explained>('explain');
    expect(explained).toMatchObject({ state: 'refused', given: null, ended: null });
    expect(stderr).toContain(explained.refused?.message);
    expect((await installation.cordon(['explain', explained.run])).stdout).toContain(explained.refused?.message);
  });
});

describe('a run that lives', () => {
  it('is followed until it ends', async () => {
    const [program = '', ...words] = installation.command;
    const begin = spawn(
      program,
      [...words, 'run', ...(IS_ROOT ? ['--user', world.account.name] : []), '--', 'sh', '-c', `read x; ${ask('late.example')}`],
      {
        env: installation.env,
        cwd: world.workspace,
      },
    );
    await expect.poll(async () => (await newest()).state, SLOW).toBe('runs');
    const { run } = await newest();
    const follower = spawn(program, [...words, 'logs', run, '--follow'], { env: installation.env, cwd: '/' });
    let said = '';
    follower.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    await expect.poll(() => said, SLOW).toContain(' started: sh');
    const [ended] = [once(follower, 'exit')];
    begin.stdin.end('\n');
    expect(await text(begin.stdout)).toContain('403');
    await ended;
    expect(said).toMatch(/ denied: late\.example:443, rule default-deny\n/);
    expect(said).toMatch(/ ended: status 0, [^\n]+\n$/);
  });
});

describe('whose it is', () => {
  it('a run cannot look at what other runs did', async () => {
    const bin = installation.command.map((word) => `'${word}'`).join(' ');
    for (const args of ['runs', 'explain', 'logs']) {
      const { stdout, stderr } = await installation.sh(`CORDON_AGENT_STATE=/nonexistent ${bin} ${args} 2>&1; true`);
      expect(stdout + stderr).not.toContain('evil.example');
    }
  });

  it.runIf(IS_ROOT)('the account of a run may look at it; what the daemon said is not for it', async () => {
    const { run } = await newest();
    const [program = '', ...words] = installation.command;
    // The account of the run has a socket of its own; root's folder is closed to it.
    const asAccount = async (...args: string[]): Promise<{ status: number | null; output: string }> => {
      const child = spawn(program, [...words, ...args], {
        env: { ...installation.env, CORDON_AGENT_STATE: '/nonexistent' },
        cwd: '/',
        uid: world.account.uid,
        gid: world.account.gid,
      });
      const [out, error, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit') as Promise<[number | null]>,
      ]);
      return { status, output: out + error };
    };
    expect(await asAccount('explain', run)).toMatchObject({ status: 0 });
    expect((await asAccount('logs')).output).toContain('[local.user]');
    expect((await asAccount('explain', 'run_unknown')).output).toContain('[run.unknown]');
  });

  it('root reads what the daemon said, and follows it', async () => {
    const { status, stdout } = await installation.cordon(['logs']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\S+ serves /m);
    expect(JSON.parse((await installation.cordon(['logs', '--json'])).stdout.split('\n')[0] ?? '')).toMatchObject({
      message: expect.any(String) as unknown,
    });
  });
});

describe('while the daemon is down', () => {
  it('whoever may enter its folder still learns what was', async () => {
    const { run } = await newest();
    await daemon.stop();
    expect(await json<Explained>('explain', run)).toMatchObject({ run, state: 'ended' });
    expect((await installation.cordon(['logs'])).stdout).toContain(' serves ');
    expect((await json<RunSummary[]>('runs', '--most', '1')).map((summary) => summary.run)).toEqual([run]);
    for (const name of ['run_unknown', 'bogus', '../run_x'])
      for (const command of ['explain', 'logs']) expect((await installation.cordon([command, name])).stderr).toContain('[run.unknown]');
  });
});
