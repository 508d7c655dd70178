/** The starter policies, enforced for real: a contained run under each tries what it should be able to do and each forbidden thing. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileBubblewrap } from '@cordon/policy/compile/bubblewrap.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { prepareFloor, preparePolicy } from '@cordon/policy/document/prepare.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { resolve } from '@cordon/policy/resolve.ts';
import { startLauncher, type TestLauncher } from './_launcher.ts';
import { createWorld, type World } from './_world.ts';

const folder = path.join(import.meta.dirname, '../../../packages/policy/starter');
const read = (name: string): PolicyDocument => parsePolicy(fs.readFileSync(path.join(folder, `${name}.yaml`), 'utf8')).document;

let world: World;
let launcher: TestLauncher;
let home: string;
let project: string;

beforeAll(async () => {
  world = createWorld();
  launcher = await startLauncher(world);
  home = world.folder('home');
  for (const place of [
    '.ssh',
    '.aws',
    '.config',
    '.config/gh',
    '.agent',
    'Documents',
    'src',
    'src/app',
    'src/app/.git',
    'src/app/.git/hooks',
    'src/app/.vscode',
    'Assistants',
    'Assistants/today',
  ])
    world.folder(`home/${place}`);
  project = path.join(home, 'src/app');
  for (const place of [
    '.ssh/id',
    '.aws/credentials',
    '.config/gh/hosts.yml',
    'Documents/letter',
    'src/app/.env',
    'src/app/main.ts',
    '.bashrc',
    '.gitconfig',
    'notes',
    'src/app/.git/config',
    '.agent/state',
  ])
    world.file(`home/${place}`, `content of ${place}\n`);
  world.folder('elsewhere');
});
afterAll(async () => {
  await launcher.stop();
  world.remove();
});

const planUnder = (name: string, agent: string, user: string, cwd: string): LaunchPlan => {
  const document = read(name);
  const effective = resolve({
    policies: [preparePolicy({ policy: 'pol_starter', name, revision: 1, document, because: [] })],
    floor: prepareFloor(read('floor'), 1),
    subject: { agent: { id: agent, proof: 'proven' }, user, os: 'linux' },
    variables: { home, workspace: cwd, tmp: '/tmp', tools: ['/usr/local'], agent: [path.join(home, '.agent')] },
  });
  expect(effective.refused).toBeUndefined();
  return compileBubblewrap(effective, {
    exists: (place) => fs.existsSync(place),
    isDirectory: (place) => fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false,
    installation: [],
  });
};

/** Tries to read, write and connect; each line says what, and whether it worked. A connection counts as permitted when the proxy looked for the host's address. */
const attempt = (reads: readonly string[], writes: readonly string[], hosts: readonly string[]): string =>
  [
    ...reads.map((place) => `cat '${place}' >/dev/null 2>&1 && echo 'read ${place} yes' || echo 'read ${place} no'`),
    ...writes.map((place) => `(echo x >> '${place}') 2>/dev/null && echo 'write ${place} yes' || echo 'write ${place} no'`),
    ...hosts.map(
      (at) =>
        `printf 'CONNECT ${at} HTTP/1.1\\r\\nHost: ${at}\\r\\n\\r\\n' | socat -t 5 - TCP:127.0.0.1:3128 2>/dev/null | grep -qE '" *egress.(private|unresolved)"|:"egress.(private|unresolved)"' && echo 'host ${at} yes' || echo 'host ${at} no'`,
    ),
  ].join('\n');

const outcome = async (
  name: string,
  agent: string,
  cwd: string,
  tries: { reads: readonly string[]; writes: readonly string[]; hosts: readonly string[] },
  user = 'u',
): Promise<Readonly<Record<string, string>>> => {
  const plan = planUnder(name, agent, user, cwd);
  const { stdout, stderr, end } = await launcher.run(['sh', '-c', attempt(tries.reads, tries.writes, tries.hosts)], {
    plan,
    cwd,
    user: { ...world.account, home },
  });
  expect({ stderr, reason: end.reason }).toEqual({ stderr: '', reason: 'exited' });
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => [
        line.slice(0, line.lastIndexOf(' ')).replace(`${home}/`, '~/').replace(`${world.root}/`, '/'),
        line.slice(line.lastIndexOf(' ') + 1),
      ]),
  );
};
const at = (...places: readonly string[]): string[] => places.map((place) => (place.startsWith('/') ? place : path.join(home, place)));
const CREDENTIALS = ['.ssh/id', '.aws/credentials', '.config/gh/hosts.yml'];
const STARTED_LATER = ['.bashrc', '.gitconfig', 'src/app/.git/hooks/pre-commit', 'src/app/.git/config', 'src/app/.vscode/tasks.json'];
const no = (kind: string, places: readonly string[]): Record<string, string> =>
  Object.fromEntries(places.map((place) => [`${kind} ${place.startsWith('/') ? place : kind === 'host' ? place : `~/${place}`}`, 'no']));

describe('under the starter policy', () => {
  it('observe: people go on as before, without credentials and without changing what starts later', async () => {
    const tries = {
      reads: at(...CREDENTIALS, 'notes', 'src/app/.env'),
      writes: at('notes', 'src/app/new.ts', ...STARTED_LATER, path.join(world.root, 'elsewhere/x')),
      hosts: ['anything.test:443', 'anything.test:8443', '169.254.169.254:80'],
    };
    expect(await outcome('observe', 'anything', project, tries)).toEqual({
      ...no('read', CREDENTIALS),
      'read ~/notes': 'yes',
      'read ~/src/app/.env': 'yes',
      'write ~/notes': 'yes',
      'write ~/src/app/new.ts': 'yes',
      ...no('write', [...STARTED_LATER, '/elsewhere/x']),
      'host anything.test:443': 'yes',
      ...no('host', ['anything.test:8443', '169.254.169.254:80']),
    });
  });

  it('coding-agents: the project, the vendor, source hosting, and nothing else', async () => {
    const tries = {
      reads: at(...CREDENTIALS, 'notes', 'Documents/letter', 'src/app/.env', 'src/app/main.ts', '.gitconfig', '.agent/state'),
      writes: at('notes', 'src/app/more.ts', 'src/beside', '.agent/state', ...STARTED_LATER),
      hosts: ['api.anthropic.com:443', 'github.com:22', 'pastebin.com:443', 'example.com:443', 'x.ngrok.io:443'],
    };
    expect(await outcome('coding-agents', 'claude-code', project, tries)).toEqual({
      ...no('read', [...CREDENTIALS, 'notes', 'Documents/letter', 'src/app/.env']),
      'read ~/src/app/main.ts': 'yes',
      'read ~/.gitconfig': 'yes',
      'read ~/.agent/state': 'yes',
      'write ~/src/app/more.ts': 'yes',
      'write ~/.agent/state': 'yes',
      ...no('write', ['notes', 'src/beside', ...STARTED_LATER]),
      'host api.anthropic.com:443': 'yes',
      'host github.com:22': 'yes',
      ...no('host', ['pastebin.com:443', 'example.com:443', 'x.ngrok.io:443']),
    });
  });

  it('browsing-assistants: the web and one folder', async () => {
    const cwd = path.join(home, 'Assistants/today');
    const tries = {
      reads: at(...CREDENTIALS, 'notes', 'src/app/main.ts'),
      writes: at('Assistants/today/found', 'notes', 'src/app/x'),
      hosts: ['any.site.test:443', '127.0.0.1:8080', 'any.site.test:22'],
    };
    expect(await outcome('browsing-assistants', 'browser-use', cwd, tries)).toEqual({
      ...no('read', [...CREDENTIALS, 'notes', 'src/app/main.ts']),
      'write ~/Assistants/today/found': 'yes',
      ...no('write', ['notes', 'src/app/x']),
      'host any.site.test:443': 'yes',
      ...no('host', ['127.0.0.1:8080', 'any.site.test:22']),
    });
  });

  it('build-machines: the checkout and source hosting', async () => {
    const tries = {
      reads: at(...CREDENTIALS, 'notes', 'src/app/main.ts'),
      writes: at('src/app/built', 'notes', 'src/app/.git/hooks/post-checkout'),
      hosts: ['github.com:443', 'example.com:443'],
    };
    expect(await outcome('build-machines', 'codex', project, tries, 'runner')).toEqual({
      ...no('read', [...CREDENTIALS, 'notes']),
      'read ~/src/app/main.ts': 'yes',
      'write ~/src/app/built': 'yes',
      ...no('write', ['notes', 'src/app/.git/hooks/post-checkout']),
      'host github.com:443': 'yes',
      'host example.com:443': 'no',
    });
  });
});
