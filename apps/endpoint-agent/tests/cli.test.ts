/** What the `cordon` command prints and how it ends. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Explanation } from '@cordon/policy/effective.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, type World } from './_world.ts';

/** A name that would clear the screen, move the cursor and turn the text around. */
const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\u202egroup\r\u009b31m';
const SHOWN = '\\u001b[2J\\u001b]0;owned\\u0007\\u202egroup\\u000d\\u009b31m';

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;

beforeAll(async () => {
  plane = await startControlPlane(HOSTILE);
  world = createWorld();
  installation = install(world);
  const shared = world.folder('shared');
  world.folder('shared/private');
  plane.publish(`allow:
  filesystem: { read: ["${shared}"], write: ["\${workspace}"] }
  network: { hosts: [{ host: allowed.example }, { host: "*.wide.example", ports: [443, 8443] }] }
  environment: [TEAM_NAME]
  ui: { clipboard: read }
deny:
  filesystem: { access: ["${shared}/private"] }
  network: { hosts: [{ host: evil.wide.example }] }`);
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('selftest').length).toBeGreaterThan(0), { timeout: 30_000 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

describe('cordon why', () => {
  it.each([
    [['${shared}'], 0, 'ALLOWED'],
    [['${shared}/file'], 0, 'ALLOWED'],
    [['${shared}', '--write'], 3, 'DENIED'],
    [['${shared}/private/token'], 3, 'DENIED'],
    [['.'], 0, 'ALLOWED'],
    [['./sub', '--write'], 0, 'ALLOWED'],
    [['sub/file.txt'], 0, 'ALLOWED'],
    [['README.md', '--write'], 0, 'ALLOWED'],
    [['~/.ssh/id_ed25519'], 3, 'DENIED'],
    [['/usr/bin/env'], 0, 'ALLOWED'],
    [['/usr/bin/env', '--write'], 3, 'DENIED'],
    [['allowed.example'], 0, 'ALLOWED'],
    [['ALLOWED.example:443'], 0, 'ALLOWED'],
    [['allowed.example:80'], 3, 'DENIED'],
    [['deep.wide.example:8443'], 0, 'ALLOWED'],
    [['wide.example'], 3, 'DENIED'],
    [['evil.wide.example'], 3, 'DENIED'],
    [['127.0.0.1:443'], 3, 'DENIED'],
    [['[::1]:443'], 3, 'DENIED'],
    [['ui.clipboard.read'], 0, 'ALLOWED'],
    [['ui.clipboard.write'], 3, 'DENIED'],
    [['network.ingress'], 3, 'DENIED'],
    [['ui.clipboard.read:443'], 3, 'DENIED'],
    [['$TEAM_NAME'], 0, 'ALLOWED'],
    [['$AWS_SECRET_ACCESS_KEY'], 3, 'DENIED'],
  ])('%j ends with %i', async (words, status, verdict) => {
    const args = words.map((word) => word.replace('${shared}', path.join(world.root, 'shared')));
    const text = await installation.cordon(['why', ...args]);
    expect({ status: text.status, stderr: text.stderr }).toEqual({ status, stderr: '' });
    expect(text.stdout.split(' ')[0]).toBe(verdict);
    const json = await installation.cordon(['why', ...args, '--json']);
    expect(json.status).toBe(status);
    const explanation = JSON.parse(json.stdout) as Explanation;
    expect(explanation.verdict.toUpperCase()).toBe(verdict);
    expect(text.stdout).toContain(explanation.target);
  });

  it('names the rule, the policy and the group, and what is shadowed', async () => {
    const { stdout } = await installation.cordon(['why', path.join(world.root, 'shared/private/token')]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe(`DENIED ${world.root}/shared/private/token`);
    expect(lines[1]).toMatch(/^denied by rule r_[0-9a-f]+ of policy story, revision 1, assigned to /);
    expect(lines[2]).toMatch(/^shadowed: r_[0-9a-f]+ of story revision 1, assigned to /);
    expect(lines.at(-1)).toBe(`to have it allowed, ask your administrator: cordon request ${world.root}/shared/private/token`);
  });

  it('makes foreign text visible', async () => {
    const { stdout } = await installation.cordon(['why', path.join(world.root, 'shared')]);
    expect(stdout).toContain(SHOWN);
    expect(stdout).not.toMatch(CONTROL);
    const { stderr, status } = await installation.cordon(['why', `${HOSTILE}.example`]);
    expect(status).toBe(125);
    expect(stderr).not.toMatch(CONTROL);
  });

  it.each([
    [[]],
    [['a', 'b']],
    [['--unknown', 'x']],
    [['x', '--agent']],
    [['x', '--agent', 'Not An Id']],
    [['allowed.example:99999']],
    [['allowed.example:x']],
    [['a b']],
    [['https://allowed.example/x']],
  ])('does not understand %j', async (words) => {
    const { status, stdout, stderr } = await installation.cordon(['why', ...words]);
    expect(status).toBe(125);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^cordon: .+ \[(cli\.usage|local\.request|host\.invalid|why\.target)\]\n$/);
  });
});

describe('cordon status', () => {
  it('says what is enforced, in words and as JSON', async () => {
    const { status, stdout } = await installation.cordon(['status']);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^state      agents are contained, as a test proved
device     dev_\\S+ in org_story, key [\\w-]{43}
server     ${plane.url} \\(connected\\)
enforcing  serial 1, [0-9a-f]{16}, current
           story revision 1
self-test  passed at \\S+
history    audit log at .+
events     \\d+ waiting, 0 dropped
limits     memory by .+, cpu by .+, processes by .+
runs       0
$`,
      ),
    );
    expect(await installation.status()).toMatchObject({
      connected: true,
      enforcing: { serial: 1, policies: ['story revision 1'] },
      runs: 0,
    });
  });

  it('a daemon that cannot be reached is told with what to do', async () => {
    const { status, stdout, stderr } = await installation.cordon(['status'], {
      env: { CORDON_AGENT_RUNTIME: path.join(world.root, 'elsewhere') },
    });
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toMatch(/^cordon: .*start it with cordon daemon \[daemon\.not-running\]\n$/);
  });
});

describe('the command itself', () => {
  it('knows its version and its subcommands, and nothing else', async () => {
    expect(await installation.cordon(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^cordon \d+\.\d+\.\d+\n$/) as unknown,
    });
    for (const args of [[], ['help'], ['-h'], ['--help']]) {
      const { status, stdout, stderr } = await installation.cordon(args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      for (const name of ['enroll', 'daemon', 'run', 'status', 'why']) expect(stdout).toContain(`cordon ${name} `);
    }
    const unknown = await installation.cordon(['frobnicate']);
    expect(unknown).toMatchObject({ status: 2, stdout: '' });
    expect(unknown.stderr).toMatch(/^cordon: there is no command "frobnicate" \[cli\.command\]\n/);
    expect(unknown.stderr).toContain('cordon run');
  });

  it.each([
    [['run', '--help'], 'cordon run: run a command, contained\n'],
    [['help', 'run'], 'cordon run: run a command, contained\n'],
    [['manifest', 'build', '-h', 'x'], 'cordon manifest build: the manifest of an agent, from its source\n'],
    [['help', 'policy'], '  cordon policy check  what is wrong with policies, and where\n'],
    [['policy', '--help'], '  cordon policy check  what is wrong with policies, and where\n'],
  ])('%j says what there is to know of it', async (args, begins) => {
    const { status, stdout, stderr } = await installation.cordon(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.startsWith(begins), stdout).toBe(true);
  });

  it('a word that needs another says which there are', async () => {
    for (const args of [['policy'], ['policy', 'frobnicate']]) {
      const { status, stdout, stderr } = await installation.cordon(args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('cordon policy check');
    }
  });

  it('tells programs what is wrong as JSON too', async () => {
    const { status, stdout, stderr } = await installation.cordon(['why', '--json']);
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'cli.usage', message: expect.stringContaining('Usage: cordon why') as unknown },
    });
  });

  it('ends without a word when nobody reads any more', () => {
    const main = path.join(import.meta.dirname, '../src/main.ts');
    const script = '{ "$0" --disable-warning=ExperimentalWarning "$@" manifest check /nowhere/a /nowhere/b; echo "status $?" >&2; } | true';
    const { stderr } = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' });
    expect(stderr).toBe('status 141\n');
  });

  it('says which Node it needs, and where it is, on one that is too old', () => {
    const old = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})';
    const bin = path.join(import.meta.dirname, '../bin/cordon.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', old, bin, 'status'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
    expect(stderr).toMatch(/^cordon: this is Node 20\.20\.2, and Node 24 is needed: [^\n]+ \[cordon\.node\]\n$/);
    expect(fs.existsSync(/(\S+) \[/.exec(stderr)?.[1] ?? '')).toBe(true);
  });

  it('run without a command, or without its separator, starts nothing', async () => {
    for (const args of [['run'], ['run', '--'], ['run', 'true'], ['run', '--agent'], ['run', '--agent', 'X Y', '--', 'true']]) {
      const { status, stderr } = await installation.cordon(args);
      expect(status).toBe(125);
      expect(stderr).toMatch(/\[(cli\.usage|local\.request|launch\.root)\]\n$/);
    }
  });

  it('prints no control characters of a server that is not to be trusted', async () => {
    const other = createWorld();
    const { createServer } = await import('node:http');
    const server = createServer((_request, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: HOSTILE.slice(0, 20), detail: `see ${HOSTILE}` }));
    }).listen(0, '127.0.0.1');
    try {
      await vi.waitFor(() => expect(server.listening).toBe(true));
      const { port } = server.address() as { port: number };
      const { status, stderr } = await enrol(install(other), other, `http://127.0.0.1:${port}`, plane.token());
      expect(status).toBe(125);
      expect(stderr.trimEnd()).not.toMatch(CONTROL);
    } finally {
      server.close();
      other.remove();
    }
  });

  it('what the daemon logs is visible text too', () => {
    expect(daemon.log().replaceAll('\n', '')).not.toMatch(CONTROL);
    expect(fs.existsSync(installation.stateDir)).toBe(true);
  });
});
