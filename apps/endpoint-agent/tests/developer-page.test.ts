/** The page for the developer whose agent was blocked: each command in it is run, and answers what the page says. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { COMMANDS } from '../src/cli/table.ts';
import { startControlPlane, type ControlPlane } from './_control-plane.ts';
import { enrol, install, type Daemon, type Installation } from './_daemon.ts';
import { createWorld, IS_ROOT, type World } from './_world.ts';

const page = fs.readFileSync(path.join(import.meta.dirname, '../../../docs/developer.md'), 'utf8');
const blocks = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text);

interface Step {
  readonly command: string;
  readonly answer: string;
}
/** `$ command`, and the lines that follow. */
const steps: readonly Step[] = blocks('console')
  .join('')
  .split(/^\$ /m)
  .slice(1)
  .map((text) => ({ command: text.slice(0, text.indexOf('\n')), answer: text.slice(text.indexOf('\n') + 1) }));

/** The page speaks of curl, and of a folder that systems of Linux have. */
const canBeTried = spawnSync('curl', ['--version']).status === 0 && fs.existsSync('/srv');

let plane: ControlPlane;
let world: World;
let installation: Installation;
let daemon: Daemon;

beforeAll(async () => {
  plane = await startControlPlane();
  world = createWorld();
  installation = install(world);
  fs.mkdirSync(path.join(world.workspace, 'secrets'));
  // As it is found on a PATH; root names the account that it is for.
  const words = installation.command.map((word) => `'${word}'`).join(' ');
  const run = IS_ROOT ? `[ "$1" = run ] && { shift; exec ${words} run --user ${world.account.name} "$@"; }` : 'true';
  world.folder('bin');
  world.file('bin/cordon', `#!/bin/sh\n${run}\nexec ${words} "$@"\n`, 0o755);
  const [policy = ''] = blocks('yaml');
  plane.publish(policy);
  await enrol(installation, world, plane.url, plane.token());
  daemon = await installation.daemon();
  await vi.waitFor(() => expect(plane.received('selftest').length).toBeGreaterThan(0), { timeout: 30_000 });
});
afterAll(async () => {
  await daemon?.stop();
  await plane?.stop();
  world?.remove();
});

/** A line of dots alone is any number of lines; dots in a line are anything in it. */
const pattern = (answer: string): RegExp =>
  new RegExp(
    `^${answer
      .split('\n')
      .map((line) =>
        line === '…'
          ? '(?:.*'
          : line
              .split('…')
              .map((part) => part.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`))
              .join('.*'),
      )
      .join('\n')
      .replaceAll('(?:.*\n', '(?:.*\n)*')}$`,
  );

const perform = (command: string): string => {
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', command], {
    cwd: world.workspace,
    encoding: 'utf8',
    env: { ...installation.env, HOME: IS_ROOT ? '/root' : world.account.home, PATH: `${world.root}/bin:${installation.env['PATH']}` },
  });
  return stdout + stderr;
};

describe('the page for whoever was blocked', () => {
  it('has commands to be tried', () => {
    expect(steps.length).toBeGreaterThan(7);
  });

  it.runIf(canBeTried).each(steps.map(({ command, answer }) => [command, answer] as const))('$ %s', async (command, answer) => {
    // What a run was denied is told a moment after it ended.
    await expect.poll(() => perform(command), { timeout: 20_000 }).toMatch(pattern(answer));
  });

  it('names no command that there is not, and every one for people whose agent was blocked', () => {
    const named = [...page.matchAll(/(?:`|<\(|\$ )cordon ([a-z-]+)/g)].map(([, name]) => name);
    const known = new Set(COMMANDS.flatMap(({ name }) => name.split(' ')[0] ?? ''));
    for (const name of named) expect([...known, 'help']).toContain(name);
    for (const name of ['explain', 'runs', 'logs', 'why', 'status', 'doctor', 'completion']) expect(named).toContain(name);
  });

  it('tells statuses as they are', async () => {
    const status = async (args: readonly string[]): Promise<number | null> => (await installation.cordon(args)).status;
    expect(await status(['why', '/usr/bin/env'])).toBe(0);
    expect(await status(['why', '/nowhere'])).toBe(3);
    expect(await status(['frobnicate'])).toBe(2);
    expect((await installation.sh('exit 42')).status).toBe(42);
    expect((await installation.run(['true'], { cwd: '/srv' })).status).toBe(125);
    expect((await installation.sh('kill -9 $$')).status).toBe(137);
  });
});
