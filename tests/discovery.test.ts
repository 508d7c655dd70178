/**
 * Agents that run outside containment are found, reported and, where the policy says so, ended; those that run contained are left alone. In namespaces of its own,
 * so that no agent that really runs on this machine is ever looked at or ended.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AgentsReport } from '../apps/endpoint-agent/src/discovery/requests.ts';
import { startControlPlane, type ControlPlane } from '../apps/endpoint-agent/tests/_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from '../apps/endpoint-agent/tests/_daemon.ts';
import { createWorld, IS_ROOT, type World } from '../apps/endpoint-agent/tests/_world.ts';

const UID = 4242;
const PATIENCE = { timeout: 30_000, interval: 50 };
/** What was promised. */
const WITHIN_TEN_SECONDS = { timeout: 10_000, interval: 50 };
const SECRET = 'sk-secret-of-the-developer';

/** Own process numbers, an own /proc and an own list of accounts; its first process takes in orphans. */
const apart = (passwd: string): string[] => [
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  'sh',
  '-c',
  `mount --bind ${passwd} /etc/passwd && { "$@" & wait; }`,
  'sh',
];

/** Processes of the story's account, by what they run. Command lines are looked at here, by a test, and nowhere else. */
const pidsOf = (word: string): string[] =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isTheirs = fs.statSync(`/proc/${pid}`).uid === UID && !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
        return isTheirs && fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(word);
      } catch {
        return false; // ended in between
      }
    });
const alive = (word: string): number => pidsOf(word).length;

/** Whether one of them runs in namespaces of its own below the daemon's. */
const contained = (word: string): boolean =>
  pidsOf(word).some((pid) => /^NSpid:(?:\s+\d+){3}/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1')));

describe.skipIf(!IS_ROOT)('an agent of this machine (root makes the namespaces that this needs)', () => {
  let plane: ControlPlane;
  let world: World;
  let installation: Installation;
  let daemon: Daemon;
  let home: string;
  let project: string;
  const started: ChildProcess[] = [];

  const own = (place: string): string => {
    fs.chownSync(place, UID, UID);
    return place;
  };
  const folder = (...parts: readonly string[]): string => {
    let place = home;
    for (const part of parts) {
      place = path.join(place, part);
      if (!fs.existsSync(place)) fs.mkdirSync(place);
      own(place);
    }
    return place;
  };
  const file = (place: string, content: string, mode = 0o644): string => {
    fs.writeFileSync(place, content);
    fs.chmodSync(place, mode);
    return own(place);
  };
  /** Starts a program beside the daemon, as the account, outside any run. */
  const outside = (argv: readonly string[], env: Readonly<Record<string, string>> = { TOKEN: SECRET }, cwd = '/'): ChildProcess => {
    const parent = daemon.process.pid ?? 0;
    const inner = fs.readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1').trim().split(' ')[0] ?? '';
    const enter = ['--target', inner, '--pid', '--mount', '--setuid', String(UID), '--setgid', String(UID), '--'];
    const child = spawn('nsenter', [...enter, 'env', `--chdir=${cwd}`, ...argv], { env, stdio: 'ignore' });
    started.push(child);
    return child;
  };
  const findings = () =>
    plane
      .received('telemetry')
      .flatMap(({ events }) => events)
      .flatMap((event) => (event.kind === 'agent.uncontained' ? [event] : []));
  const report = async (): Promise<{ status: number | null; report: AgentsReport }> => {
    const { status, stdout, stderr } = await installation.cordon(['agents', '--json']);
    expect(stderr).toBe('');
    return { status, report: JSON.parse(stdout) as AgentsReport };
  };
  const policy = (uncontained: string): string =>
    `allow: { filesystem: { read: ["${home}/.local/bin"], write: ["\${workspace}"] } }\nuncontained: ${uncontained}`;

  let claude: string;
  let codex: string;
  beforeAll(async () => {
    plane = await startControlPlane();
    world = createWorld();
    home = path.join(world.root, 'home');
    fs.mkdirSync(home);
    own(home);
    project = folder('project');
    const tree = folder('.npm-global', 'lib', 'node_modules', '@anthropic-ai', 'claude-code');
    file(
      path.join(tree, 'package.json'),
      JSON.stringify({ name: '@anthropic-ai/claude-code', version: '2.1.7', bin: { claude: 'cli.js' } }),
    );
    claude = file(
      path.join(tree, 'cli.js'),
      "require('node:child_process').spawn('sleep', ['7777'], { stdio: 'ignore' }); setInterval(() => undefined, 1000);",
    );
    codex = path.join(folder('.local', 'bin'), 'codex');
    // A program like any other, and not a copy of one that others use.
    fs.writeFileSync(codex, Buffer.concat([fs.readFileSync('/bin/sleep'), Buffer.from('of the story')]));
    fs.chmodSync(own(codex), 0o755);
    file(
      path.join(home, '.claude.json'),
      JSON.stringify({
        mcpServers: {
          github: { command: '/usr/bin/npx', args: ['-y', 'server', '--token', SECRET], env: { GITHUB_TOKEN: SECRET } },
          tickets: { type: 'http', url: `https://tickets.example/mcp?key=${SECRET}`, headers: { Authorization: `Bearer ${SECRET}` } },
        },
        projects: { [project]: { mcpServers: { local: { command: `KEY=${SECRET} run-it`, args: [] } }, history: [SECRET] } },
      }),
    );
    file(path.join(project, '.mcp.json'), JSON.stringify({ mcpServers: { shop: { command: 'uvx', args: [SECRET] } } }));
    // What only root could read, and what nobody could ever read to its end.
    const ofRoot = path.join(world.root, 'of-root.toml');
    fs.writeFileSync(ofRoot, '[mcp_servers.of-root]\ncommand = "x"\n', { mode: 0o600 });
    fs.symlinkSync(ofRoot, path.join(folder('.codex'), 'config.toml'));
    execFileSync('mkfifo', [path.join(folder('.gemini'), 'settings.json')]);
    const passwd = path.join(world.root, 'passwd');
    fs.writeFileSync(passwd, `${fs.readFileSync('/etc/passwd', 'utf8').trimEnd()}\nstory:x:${UID}:${UID}::${home}:/bin/sh\n`);
    installation = install(world);
    plane.publish(policy('report'));
    expect((await enrol(installation, world, plane.url, plane.token())).status).toBe(0);
    daemon = await installation.daemon(apart(passwd));
    await vi.waitFor(() => expect(plane.received('ack').length, daemon.log()).toBeGreaterThan(0), PATIENCE);
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await daemon?.kill();
    await plane?.stop();
    world?.remove();
  });

  it('that runs outside containment is reported within ten seconds, and goes on; one that runs contained is nobody’s finding', async () => {
    started.push(
      spawn(installation.command[0] ?? '', [...installation.command.slice(1), 'run', '--user', 'story', '--', codex, '8888'], {
        cwd: project,
        env: installation.env,
        stdio: 'ignore',
      }),
    );
    await expect.poll(() => alive('8888'), PATIENCE).toBeGreaterThan(0);
    outside([process.execPath, claude, '-p', `use ${SECRET}`]);
    await expect.poll(() => alive('7777'), PATIENCE).toBe(1);
    await expect.poll(() => findings().map(({ agent }) => agent), WITHIN_TEN_SECONDS).toEqual(['claude-code']);
    expect(findings()[0]).toMatchObject({ osUser: 'story', program: claude, evidence: 'package', action: 'reported', count: 1 });
    expect([alive(claude), alive('8888') > 0]).toEqual([1, true]);
  });

  it('is in the inventory, with what its settings start and nothing of how', async () => {
    const { status, report: found } = await report();
    expect(status).toBe(4);
    const ofStory = found.agents.filter(({ osUser }) => osUser === 'story');
    expect(ofStory.map(({ agent, source, version, running }) => ({ agent, source, version, running }))).toEqual([
      { agent: 'claude-code', source: 'package', version: '2.1.7', running: 'uncontained' },
      { agent: 'codex', source: 'name', version: '', running: 'contained' },
    ]);
    const servers = found.servers.filter(({ osUser, agent }) => osUser === 'story' && agent === 'claude-code');
    expect(servers.map(({ name, scope, transport, program }) => `${name} ${scope} ${transport} ${program}`).sort()).toEqual([
      'github user program npx',
      'local project program ',
      'shop project program uvx',
      'tickets user remote ',
    ]);
    expect(found.servers.map(({ name }) => name)).not.toContain('of-root');
    expect(found.uncontained.map(({ agent, running }) => ({ agent, running }))).toEqual([{ agent: 'claude-code', running: true }]);
    await expect.poll(() => plane.received('inventory').length, PATIENCE).toBeGreaterThan(0);
    expect(plane.faults).toEqual([]);
    const told = JSON.stringify(plane.frames);
    expect(told).toContain('claude-code');
    expect([told.includes(SECRET), JSON.stringify(found).includes(SECRET), daemon.log().includes(SECRET)]).toEqual([false, false, false]);
  });

  it('is ended with all that it started when the policy says stop, and the contained one still runs', async () => {
    plane.publish(policy('stop'));
    await plane.push();
    await expect.poll(() => findings().map(({ action }) => action), PATIENCE).toEqual(['reported', 'stopped']);
    expect([alive(claude), alive('7777'), alive('8888') > 0]).toEqual([0, 0, true]);
  });

  it('is found by what it is when it was copied under another name', async () => {
    const copy = path.join(project, 'helper');
    fs.copyFileSync(codex, copy);
    fs.chmodSync(own(copy), 0o755);
    const child = outside([copy, '9999']);
    const ended = once(child, 'exit');
    await expect
      .poll(() => findings().at(-1), WITHIN_TEN_SECONDS)
      .toMatchObject({ agent: 'codex', evidence: 'content', program: copy, action: 'stopped' });
    await ended;
    expect([alive('9999'), alive('8888') > 0]).toEqual([0, true]);
  });

  it('that is started by its plain name is contained where a shim stands first in PATH', async () => {
    // As an installation has it; the checkout's own Node is whoever's that installed it.
    const command = path.join(world.root, 'usr/local/bin/cordon');
    fs.mkdirSync(path.dirname(command), { recursive: true });
    fs.writeFileSync(command, `#!/bin/sh\nexec ${installation.command.map((word) => `'${word}'`).join(' ')} "$@"\n`);
    fs.chmodSync(command, 0o755);
    const { status, stderr } = await installation.cordon(['shim', 'install', 'codex', '--prefix', world.root]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const shims = path.join(world.root, 'usr/local/lib/cordon/shims');
    const before = findings().length;
    const env = { ...installation.env, PATH: `${shims}:${path.dirname(codex)}:/usr/bin:/bin`, HOME: home };
    outside(['codex', '4444'], env, project);
    await expect.poll(() => contained('4444'), PATIENCE).toBe(true);
    outside([codex, '3333']);
    await expect.poll(() => findings().length, PATIENCE).toBeGreaterThan(before);
    expect([contained('4444'), alive('3333'), findings().at(-1)?.evidence]).toEqual([true, 0, 'name']);
  });

  it('that nobody knows is left alone, also where it is called like one', async () => {
    const bystander = outside(['bash', '-c', `exec -a ${claude} sleep 6666`]);
    await expect.poll(() => alive('6666'), PATIENCE).toBe(1);
    // By then it was looked at more than once.
    const child = outside([codex, '5555']);
    await once(child, 'exit');
    expect([alive('6666'), bystander.exitCode]).toEqual([1, null]);
  });
});
