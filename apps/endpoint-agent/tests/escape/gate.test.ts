/** A launch that is not as planned: a wrapper that was changed, a folder that is exchanged. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Launcher } from '../../src/launch/launcher.ts';
import { finish, planOf, startLauncher, type TestLauncher } from '../_launcher.ts';
import { createWorld, IS_ROOT, processesWith, type World } from '../_world.ts';
import { NR } from './_attempts.ts';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SECRET = `planted-${randomBytes(12).toString('hex')}`;

let world: World;
let test: TestLauncher;
beforeAll(async () => {
  world = createWorld();
  test = await startLauncher(world);
});
afterAll(async () => {
  await test?.stop();
  world?.remove();
});

describe('a wrapper that is not the one', () => {
  /** A launcher whose wrapper was changed, as by an attacker or a newer bubblewrap. */
  const changed = (change: (script: string) => string): Launcher => {
    const folder = path.join(world.runtimeDir, `helpers-${randomBytes(4).toString('hex')}`);
    fs.cpSync(test.helpers.folder, folder, { recursive: true });
    const script = fs.readFileSync(path.join(folder, 'bwrap'), 'utf8');
    const next = change(script);
    expect(next).not.toBe(script);
    fs.writeFileSync(path.join(folder, 'bwrap'), next, { mode: 0o755 });
    return test.another({ helpers: { ...test.helpers, folder, path: `${folder}:/usr/bin:/bin` } });
  };

  it.each([
    ['mounts more', (script: string) => script.replace('--new-session', '--ro-bind /var /var --new-session')],
    ['leaves the root writable', (script: string) => script.replace('--remount-ro / ', '')],
    ['leaves out the filter', (script: string) => script.replace('--seccomp 5 ', '')],
    ['keeps capabilities', (script: string) => script.replace('--cap-drop ALL ', '')],
    ['lets user namespaces be made', (script: string) => script.replace('--disable-userns ', '')],
    ['stays in the session', (script: string) => script.replace('--new-session ', '')],
    [
      'shows the /etc of the machine',
      (script: string) => script.replace(/ --ro-bind \S+ \/etc --ro-bind/, ' --ro-bind /etc /etc --ro-bind'),
    ],
    [
      'shows another folder in place of a system one',
      (script: string) => script.replace('--new-session', '--ro-bind /var /usr/share --new-session'),
    ],
    [
      'shows another device in place of /dev/full',
      (script: string) => script.replace('--remount-ro /dev ;;', '--dev-bind /dev/zero /dev/full --remount-ro /dev ;;'),
    ],
    ['shows how the machine started', (script: string) => script.replace(' --ro-bind /dev/null /proc/cmdline', '')],
    ['leaves a mask writable', (script: string) => script.replace(' --remount-ro "$arg"', '')],
    ['leaves /dev writable', (script: string) => script.replace(' --remount-ro /dev', '')],
    [
      // A root daemon prepares the network, and bubblewrap must not make another; any other lets bubblewrap make it.
      'is in another network',
      (script: string) =>
        script.replace(/--unshare-net\) .* ;;/, IS_ROOT ? '--unshare-net) set -- "$@" --unshare-net ;;' : '--unshare-net) ;;'),
    ],
    [
      'keeps the host’s processes',
      (script: string) => script.replace('--unshare-pid|', '').replace('  case $arg in\n', '  case $arg in\n    --unshare-pid) ;;\n'),
    ],
  ])('one that %s is stopped at the gate', async (_name, change) => {
    const launch = changed(change).launch(test.request(['touch', path.join(world.workspace, 'escaped')]));
    await expect(launch).rejects.toMatchObject({ code: expect.stringMatching(/^launch\.(gate-refused|setup-failed)$/) as unknown });
    expect(fs.existsSync(path.join(world.workspace, 'escaped'))).toBe(false);
  });
});

/** A few in the suite, 1,000 in the nightly run. */
const LAUNCHES = Number(process.env['CORDON_RACE_LAUNCHES'] ?? Math.max(20, Math.min(1000, LAW_RUNS / 20)));

describe('the exchange race', () => {
  it(
    `a folder that is exchanged for a link all the time is never the wrong one, ${LAUNCHES} times`,
    { timeout: 60_000 + LAUNCHES * 500 },
    async () => {
      const granted = world.folder('racing');
      world.file('racing/file', 'rightful');
      const secret = world.folder('secret');
      world.file('secret/file', SECRET);
      fs.symlinkSync(secret, path.join(world.root, 'racing.link'));
      const plan = planOf(world, `allow: { filesystem: { write: ["${granted}"] } }`, granted);
      // RENAME_EXCHANGE, so that there is always something at the name; the pauses leave room for either to be found.
      const racer = spawn(
        'perl',
        [
          '-e',
          `$| = 1; print "racing"; while (1) { syscall(${NR['renameat2']}, -100, $ARGV[0], -100, $ARGV[1], 2); select(undef, undef, undef, rand(0.004)) }`,
          granted,
          path.join(world.root, 'racing.link'),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const outcomes: string[] = [];
      try {
        await once(racer.stdout, 'data');
        // What is a link at the check itself is refused there; those count that got past it, to a sandbox that was set up.
        for (let reached = 0; reached < LAUNCHES;) {
          const request = test.request(['sh', '-c', 'cat file; echo x > left'], { plan, cwd: granted });
          const outcome = await test.launcher.launch(request).then(
            async (run) => {
              const { stdout, end } = await finish(run);
              return end.reason === 'killed' && stdout === '' ? 'run.uncovered' : stdout;
            },
            (error: unknown) => (error as { code: string }).code,
          );
          outcomes.push(outcome);
          if (outcome !== 'launch.path-link') reached += 1;
        }
      } finally {
        racer.kill('SIGKILL');
        await once(racer, 'exit');
      }
      const refusals = ['launch.path-link', 'launch.path-missing', 'launch.gate-refused', 'run.uncovered'];
      expect(outcomes.filter((outcome) => outcome !== 'rightful' && !refusals.includes(outcome))).toEqual([]);
      if (LAUNCHES > 20)
        console.log(
          Object.fromEntries(
            Map.groupBy(outcomes, String)
              .entries()
              .map(([outcome, all]) => [outcome, all.length]),
          ),
        );
      expect(outcomes.some((outcome) => refusals.includes(outcome))).toBe(true); // the racer did race
      expect(fs.existsSync(path.join(secret, 'left'))).toBe(false);
      await test.launcher.stop();
      await expect.poll(() => processesWith(path.join(world.runtimeDir, 'egress')), { timeout: 10_000 }).toEqual([]);
    },
  );
});
