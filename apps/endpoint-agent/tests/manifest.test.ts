/** `cordon run --manifest`: the command, the local API, a real launcher and real runs, under a policy of its own. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { createWorld as createOrganisation, ISSUED, stateFor } from '@cordon/policy/trust/_world.ts';
import { verifyState, type VerifiedState } from '@cordon/policy/trust/verify.ts';
import { socketFor } from '../src/local-api/protocol.ts';
import { startLocalApi } from '../src/local-api/server.ts';
import { createEnforcement, type Enforcement } from '../src/runs/enforcement.ts';
import { createConversation } from '../src/runs/converse.ts';
import { createRunTable, type RunTable } from '../src/runs/run-table.ts';
import { startLauncher, type TestLauncher } from './_launcher.ts';
import { policyText } from './_policy.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

let world: World;
let launcher: TestLauncher;
let runs: RunTable;
let local: { stop(): void };
let state: VerifiedState;
let shared: string;
const events: NewEvent[] = [];
const updates: string[] = [];
const logged: string[] = [];
let enforcement: Enforcement;

/** What a device verifies when its one cohort is given this policy. */
const inForce = async (spec: string): Promise<VerifiedState> => {
  const policy = { policy: 'pol_story', name: 'story', revision: 1, document: parsePolicy(policyText(spec)).document, because: [] };
  const content = { format: 'cordon-bundle/1', language: 'cordon/v1', policies: [policy], exceptions: [] } as const;
  const fleet = { serial: 1, at: ISSUED, cohorts: [{ id: 'coh_story', serial: 1, content }], devices: [{ id: 'dev_story', cohort: 0 }] };
  return verifyState(await stateFor(await createOrganisation('org_story'), fleet, 0));
};

beforeAll(async () => {
  world = createWorld();
  shared = world.folder('shared');
  world.file('shared/data', 'shared data\n');
  launcher = await startLauncher(world);
  runs = createRunTable(world.folder('runs'));
  state = await inForce(`allow:\n  filesystem: { read: ["${shared}"], write: ["\${workspace}"] }\n  environment: [LANG, WEATHER_KEY]`);
  const me = { name: IS_ROOT ? 'root' : world.account.name, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home: '/root' };
  enforcement = createEnforcement({
    runs,
    egress: {
      update: (_run, { hostLimits }) => void updates.push(hostLimits.flatMap((limit) => limit.hosts.map(({ host }) => host)).join()),
    },
    host: { installation: [] },
    report: (event) => events.push(event),
    now: () => new Date(),
    log: (message) => logged.push(message),
  });
  local = await startLocalApi(
    world.runtimeDir,
    [IS_ROOT ? me : world.account],
    () => undefined,
    createConversation({
      launcher: launcher.launcher,
      runs,
      state: () => state,
      status: () => {
        throw new Error('nobody asks');
      },
      report: (event) => events.push(event),
      rotateKey: () => Promise.reject(new Error('nobody asks')),
      host: { installation: [] },
      clock: () => performance.now(),
      enforcement,
    }),
  );
});
afterAll(async () => {
  local?.stop();
  await launcher?.stop();
  world?.remove();
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as a person starts it, in the workspace. */
const cordon = async (...args: readonly string[]): Promise<Ended> => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts'), ...args], {
    cwd: world.workspace,
    env: { PATH: '/usr/bin:/bin', CORDON_AGENT_RUNTIME: world.runtimeDir, LANG: 'C.UTF-8', WEATHER_KEY: 'secret' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, status] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return { status, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
};
const who = (): readonly string[] => (IS_ROOT ? ['--user', world.account.name] : []);
const manifest = (needs: string, name = 'manifest.yaml'): string =>
  world.file(name, `apiVersion: cordon/v1\nkind: AgentManifest\nmetadata: { name: weather }\nneeds: ${needs}\n`);
const script = (): string => `cat ${shared}/data; echo x > made && echo wrote; printf 'key=%s lang=%s\\n' "$WEATHER_KEY" "$LANG"`;

describe('a run under a manifest', () => {
  it('without one it may do all that policies allow', async () => {
    expect(fs.existsSync(socketFor(world.runtimeDir, process.getuid?.() ?? 0))).toBe(true);
    const { status, stdout, stderr } = await cordon('run', ...who(), '--', 'sh', '-c', script());
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'shared data\nwrote\nkey=secret lang=C.UTF-8\n', stderr: '' });
  });

  it('may do what policies allow and the manifest asks for, and nothing else', async () => {
    const file = manifest('{ required: { filesystem: { read: ["${workspace}"] } }, optional: { environment: [LANG] } }');
    const { status, stdout, stderr } = await cordon('run', ...who(), '--manifest', file, '--', 'sh', '-c', script());
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'key= lang=C.UTF-8\n' });
    expect(stderr).toMatch(/data: No such file or directory/);
    expect(stderr).toMatch(/cannot create made/);
  });

  it('is not started where what it requires is not granted: the need and the reason are named', async () => {
    const file = manifest('{ required: { filesystem: { write: ["${workspace}", "${home}/elsewhere"] }, environment: [LANG, TOKEN] } }');
    const { status, stdout, stderr } = await cordon('run', ...who(), '--manifest', file, '--', 'sh', '-c', 'echo started');
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toContain('filesystem.write ${home}/elsewhere (no rule allows it, so it is denied by default)');
    expect(stderr).toContain('environment TOKEN');
    expect(stderr).toContain('[launch.need-unmet]');
    expect(stderr).not.toContain('${workspace}');
    expect(events.at(-1)).toMatchObject({ kind: 'launch.refused', code: 'launch.need-unmet', program: 'sh' });
  });

  it('is told what is wrong with the manifest, and where', async () => {
    const { status, stderr } = await cordon('run', ...who(), '--manifest', manifest('{ required: { filesystm: {} } }'), '--', 'true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/line 4, \/needs\/required\/filesystm: .*did you mean "filesystem"\? \[manifest\.invalid\]/);
  });

  it('names its agent where nobody else does', async () => {
    const file = world.file(
      'named.yaml',
      'apiVersion: cordon/v1\nkind: AgentManifest\nmetadata: { name: weather, agent: weather-bot }\nneeds: { required: { filesystem: { read: ["${workspace}"] } } }\n',
    );
    expect((await cordon('run', ...who(), '--manifest', file, '--', 'true')).status).toBe(0);
    expect(events.filter(({ kind }) => kind === 'run.started').at(-1)).toMatchObject({ agent: 'weather-bot' });
  });

  it('is explained by why', async () => {
    const file = manifest('{ required: { filesystem: { read: ["${workspace}"] } } }');
    const { status, stdout } = await cordon('why', ...who(), '--manifest', file, `${shared}/data`);
    expect(status).toBe(3);
    expect(stdout).toContain('outside the manifest of the agent, which does not ask for it');
  });

  it('a later policy reaches it through its manifest, and ends it where a need is gone', async () => {
    const file = manifest('{ required: { filesystem: { read: ["${workspace}"] }, network: { hosts: [{ host: api.example.com }] } } }');
    const hosts = (names: string): string => `allow:\n  filesystem: { write: ["\${workspace}"] }\n  network: { hosts: [${names}] }`;
    state = await inForce(hosts('{ host: api.example.com }, { host: other.example }'));
    const running = cordon('run', ...who(), '--manifest', file, '--', 'sleep', '60');
    await expect.poll(() => runs.all().length).toBe(1);
    enforcement.apply(state);
    expect(updates).toEqual([]);
    state = await inForce(hosts('{ host: api.example.com }, { host: third.example }'));
    enforcement.apply(state);
    expect(updates).toEqual(['api.example.com']);
    state = await inForce(`${hosts('{ host: other.example }')}\ngrace: 0s`);
    enforcement.apply(state);
    expect(logged).toMatchObject([expect.stringContaining('network.hosts api.example.com:443')]);
    expect(await running).toMatchObject({ status: 137, stderr: expect.stringContaining('the run was ended (killed)') });
  });
});

describe('the file of a manifest', () => {
  it('is a regular file of at most 64 KiB, and no link', async () => {
    const link = path.join(world.root, 'link.yaml');
    fs.symlinkSync(manifest('{}'), link);
    const pipe = path.join(world.root, 'pipe.yaml');
    const made = spawn('sh', ['-c', 'mkfifo "$1"', 'sh', pipe]);
    await new Promise((resolve) => made.once('close', resolve));
    for (const [file, code] of [
      [link, 'file.unreadable'],
      [pipe, 'file.unreadable'],
      [world.root, 'file.unreadable'],
      [path.join(world.root, 'gone.yaml'), 'file.unreadable'],
      [world.file('large.yaml', '#'.repeat(65_537)), 'file.too-large'],
    ] as const) {
      const { status, stderr } = await cordon('run', ...who(), '--manifest', file, '--', 'true');
      expect({ file, status, code: /\[([\w.-]+)\]\n$/.exec(stderr)?.[1] }).toEqual({ file, status: 125, code });
    }
  });
});
