/** Launches for real: the executor, the wrapper, bubblewrap, the gate and the bridge, as an unprivileged account. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../src/launch/launcher.ts';
import { isAlive } from '../src/launch/gate.ts';
import { finish, planOf, startLauncher, WORKSPACE_ONLY, type TestLauncher } from './_launcher.ts';
import { createWorld, processesWith, type World } from './_world.ts';

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

/** What lies in the launcher's folder beside the pipes that wait for their run. */
const launchFolder = (): string[] => fs.readdirSync(test.options.runtimeDir).filter((name) => !name.startsWith('pipe-'));

describe('how a run ends', () => {
  it.each([
    ['true', 0],
    ['exit 7', 7],
    ['exit 125', 125],
    ['exit 255', 255],
    ['nonexistent-program', 127],
    ['/etc/passwd', 126],
    ['kill -TERM $$', 143],
    ['kill -HUP $$', 129],
    ['kill -INT $$', 130],
    ['kill -USR1 $$', 138],
    ['kill -SEGV $$', 139],
    ['kill -KILL $$', 137],
  ])('%s ends with %i', async (line, exitCode) => {
    expect((await test.sh(line)).end).toEqual({ reason: 'exited', exitCode });
  });

  it('a program that is not there is 127, one that cannot be executed is 126, as shells have it', async () => {
    expect((await test.run(['nonexistent-program'])).end.exitCode).toBe(127);
    expect((await test.run(['/etc/passwd'])).end.exitCode).toBe(126);
    expect((await test.run([''])).end.exitCode).toBe(126);
    expect((await test.run(['--', 'true'])).end.exitCode).toBe(127);
  });

  it('no signal is blocked or ignored inside, so a supervisor can end its children', async () => {
    const { stdout } = await test.run(['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
    expect(stdout).toMatch(/SigBlk:\s+0+\n/);
    // 32 and 33 belong to the C library and cannot be sent by name.
    expect(/SigIgn:\s+([0-9a-f]+)/.exec(stdout)?.[1]?.slice(-8)).toMatch(/^[08]0000000$/);
    expect((await test.sh('timeout 0.2 sleep 30')).end.exitCode).toBe(124);
  });

  it('its time limit ends it with 124', async () => {
    const unlimited = planOf(world, WORKSPACE_ONLY);
    const plan = { ...unlimited, limits: { ...unlimited.limits, timeoutMs: 300 } };
    expect((await test.sh('sleep 60', { plan })).end).toEqual({ reason: 'timeout', exitCode: 124 });
  });

  it('killed ends it with 137, and its init is gone', async () => {
    const run = await test.launcher.launch(test.request(['sleep', '60']));
    run.kill('killed');
    expect((await finish(run)).end).toEqual({ reason: 'killed', exitCode: 137 });
    expect(isAlive(run.attestation.pid, run.attestation.startTime)).toBe(false);
    run.kill('killed'); // again, after its end: nothing happens to whoever has its number now
  });

  it('it ends with its init, although a child in the background holds the streams', async () => {
    const { end, stdout } = await test.sh('sleep 3600 & echo started; exit 4');
    expect({ end, stdout }).toEqual({ end: { reason: 'exited', exitCode: 4 }, stdout: 'started\n' });
  });

  it('no process of it is left, inside or out', async () => {
    const mark = `left-${randomBytes(6).toString('hex')}`;
    const request = test.request(['sh', '-c', `sh -c 'sleep 3600; : ${mark}' & setsid sh -c 'sleep 3600; : ${mark}' & sleep 0.1; exit 0`]);
    await finish(await test.launcher.launch(request));
    expect(processesWith(mark)).toEqual([]);
    expect(processesWith(request.run)).toEqual([]);
    await test.launcher.stop(); // what waits for the next run is gone with it
    await expect.poll(() => processesWith(path.join(world.runtimeDir, 'egress')), { timeout: 10_000 }).toEqual([]);
    expect(fs.readdirSync(path.join(world.runtimeDir, 'egress'))).toEqual([]);
    expect(launchFolder()).toEqual([]);
  });
});

describe('what a run is given', () => {
  const ARGUMENTS = [
    '',
    ' ',
    'two words',
    "it's",
    '"double"',
    '$(touch /tmp/injected)',
    '`id`',
    '$HOME ${PATH}',
    'line\nbreak',
    '\\',
    "'\\''",
    '--',
    '-n',
    '; exit 3',
    '#',
    '*',
    'ümlaut 日本語 😀',
    '\u0001\t\u007f',
  ];

  it('arguments arrive exactly', async () => {
    const { stdout, end } = await test.run(['sh', '-c', 'for a do printf "%s\\0" "$a"; done', 'sh', ...ARGUMENTS]);
    expect(end.exitCode).toBe(0);
    expect(stdout.split('\0').slice(0, -1)).toEqual(ARGUMENTS);
  });

  it('an argument of 100 KB arrives', async () => {
    const { stdout } = await test.run(['sh', '-c', 'printf %s "$1" | wc -c', 'sh', 'x'.repeat(100_000)]);
    expect(stdout.trim()).toBe('100000');
  });

  it('the environment is what is passed on, the fixed set, and nothing else', async () => {
    const env = { LANG: 'C.UTF-8', ODD: `it's "$(id)" \n \`x\`` };
    const { stdout } = await test.run(['env', '-0'], { env });
    const seen = Object.fromEntries(
      stdout
        .split('\0')
        .slice(0, -1)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const proxy = 'http://127.0.0.1:3128';
    const { PWD, OLDPWD, _, SHLVL, ...others } = seen;
    expect({ PWD, OLDPWD }).toEqual({ PWD: world.workspace, OLDPWD: '/' });
    expect([_, SHLVL].filter((value) => value !== undefined).every((value) => /^(\d|\/usr\/bin\/env)$/.test(value ?? ''))).toBe(true);
    expect(others).toEqual({
      ...env,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: world.account.home,
      USER: world.account.name,
      LOGNAME: world.account.name,
      TMPDIR: '/tmp',
      http_proxy: proxy,
      https_proxy: proxy,
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      all_proxy: proxy,
      ALL_PROXY: proxy,
      no_proxy: '',
      NO_PROXY: '',
      NODE_USE_ENV_PROXY: '1',
    });
  });

  it('what is passed on never replaces the fixed set', async () => {
    const { stdout } = await test.sh('echo "$PATH $HTTPS_PROXY"', { env: { PATH: '/evil', HTTPS_PROXY: 'http://evil' } });
    expect(stdout).toBe('/usr/local/bin:/usr/bin:/bin http://127.0.0.1:3128\n');
  });

  it('it starts in its working directory, whatever that is called', async () => {
    const cwd = world.folder(`workspace/a 'strange' $(name)`);
    expect((await test.run(['pwd'], { cwd })).stdout).toBe(`${cwd}\n`);
    expect((await test.run(['true'], { cwd: path.join(world.workspace, 'gone') })).end.exitCode).toBe(126);
  });

  it('it runs as its account, without other groups', async () => {
    const { uid, gid } = world.account;
    expect((await test.sh('id -u; id -g')).stdout).toBe(`${uid}\n${gid}\n`);
    if (process.getuid?.() === 0) expect((await test.sh('grep Groups: /proc/self/status')).stdout).toMatch(/^Groups:\s*(65534)?\s*$/);
  });

  it('what it writes is on the host, as its own', async () => {
    await test.sh('echo hello > made');
    const made = path.join(world.workspace, 'made');
    expect(fs.readFileSync(made, 'utf8')).toBe('hello\n');
    expect(fs.statSync(made).uid).toBe(world.account.uid);
  });
});

describe('its streams', () => {
  it('carry large data both ways at once', async () => {
    const input = randomBytes(6_000_000);
    const run = await test.launcher.launch(test.request(['sh', '-c', 'tee /dev/stderr']));
    const hashes = { stdout: createHash('sha256'), stderr: createHash('sha256') };
    run.stdout.on('data', (chunk: Buffer) => hashes.stdout.update(chunk));
    run.stderr.on('data', (chunk: Buffer) => hashes.stderr.update(chunk));
    run.stdin.end(input);
    expect((await run.ended).exitCode).toBe(0);
    const digest = createHash('sha256').update(input).digest('hex');
    expect([hashes.stdout.digest('hex'), hashes.stderr.digest('hex')]).toEqual([digest, digest]);
  });

  it.each(['1', '2'])('descriptor %s keeps everything for a reader that begins when the run is long over', async (descriptor) => {
    const size = 100_000;
    const run = await test.launcher.launch(test.request(['sh', '-c', `head -c ${size} /dev/zero >&${descriptor}`]));
    const [slow, other] = descriptor === '1' ? [run.stdout, run.stderr] : [run.stderr, run.stdout];
    other.resume();
    await expect.poll(() => isAlive(run.attestation.pid, run.attestation.startTime), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => other.closed, { timeout: 10_000 }).toBe(true);
    expect((await buffer(slow)).length).toBe(size);
    expect((await run.ended).exitCode).toBe(0);
  });

  it('can be opened again by their names', async () => {
    const { stdout, stderr, end } = await test.sh('cat /dev/stdin > /dev/stdout; echo problem > /dev/stderr', {}, 'given');
    expect({ stdout, stderr, exitCode: end.exitCode }).toEqual({ stdout: 'given', stderr: 'problem\n', exitCode: 0 });
  });

  it('a descriptor that somebody outside holds keeps nobody waiting', async () => {
    const run = await test.launcher.launch(test.request(['sh', '-c', 'read line; echo "$line"']));
    const held = fs.openSync(`/proc/${run.attestation.pid}/fd/1`, 'w');
    try {
      const { end, stdout } = await finish(run, 'given\n');
      expect({ end, stdout }).toEqual({ end: { reason: 'exited', exitCode: 0 }, stdout: 'given\n' });
    } finally {
      fs.closeSync(held);
    }
  });

  it('an input that nobody reads, or that breaks, harms nothing', async () => {
    expect((await test.run(['true'], {}, randomBytes(1_000_000))).end.exitCode).toBe(0);
    expect((await test.sh('exec <&-; sleep 0.2; exit 5', {}, randomBytes(1_000_000))).end.exitCode).toBe(5);
  });

  it('the end of input reaches the run', async () => {
    expect((await test.run(['wc', '-c'], {}, 'four')).stdout.trim()).toBe('4');
  });
});

describe('what is refused before anything of the workload runs', () => {
  const refusal = async (request: ReturnType<TestLauncher['request']>): Promise<unknown> =>
    test.launcher.launch(request).then(
      async (run) => {
        await finish(run);
        return 'launched';
      },
      (error: unknown) => (error as { code?: unknown }).code,
    );
  const granting = (place: string, kind: 'readonlyPaths' | 'readwritePaths'): ReturnType<TestLauncher['request']> => {
    const plan = planOf(world, WORKSPACE_ONLY);
    const { filesystem } = plan.request;
    return test.request(['touch', path.join(world.workspace, 'ran')], {
      plan: { ...plan, request: { ...plan.request, filesystem: { ...filesystem, [kind]: [...filesystem[kind], place] } } },
    });
  };

  it('a workload of uid 0', async () => {
    const request = test.request(['touch', 'ran'], { user: { ...world.account, uid: 0, gid: 0 } });
    expect(await refusal(request)).toBe('launch.root');
  });

  it('a required control that is not truly enforced', async () => {
    world.folder('secrets');
    const secret = world.file('secrets/token', 'secret\n');
    const plan = planOf(
      world,
      `allow: { filesystem: { read: ["${path.dirname(secret)}"], write: ["\${workspace}"] } }\ndeny: { filesystem: { access: ["${secret}"] } }\nrequired: [filesystem.deny]`,
    );
    expect(plan.unmet.map(({ control }) => control)).toEqual(['filesystem.deny']);
    expect(await refusal(test.request(['touch', 'ran'], { plan }))).toBe('launch.required-unmet');
  });

  it.each(['readonlyPaths', 'readwritePaths'] as const)(
    'a path in %s that is not there, a symbolic link, below one, or a socket',
    async (kind) => {
      expect(await refusal(granting(path.join(world.root, 'missing'), kind))).toBe('launch.path-missing');
      const folder = world.folder('real');
      const link = path.join(world.root, 'link');
      fs.rmSync(link, { force: true });
      fs.symlinkSync(folder, link);
      fs.mkdirSync(path.join(folder, 'inner'), { recursive: true });
      expect(await refusal(granting(link, kind))).toBe('launch.path-link');
      expect(await refusal(granting(path.join(link, 'inner'), kind))).toBe('launch.path-link');
      const socket = path.join(world.root, 'service.sock');
      const server = net.createServer();
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      expect(await refusal(granting(socket, kind))).toBe('launch.path-socket');
      await new Promise((resolve) => server.close(resolve));
    },
  );

  it('and none of them ran, or left anything behind', () => {
    expect(fs.existsSync(path.join(world.workspace, 'ran'))).toBe(false);
    expect(fs.readdirSync(path.join(world.runtimeDir, 'egress'))).toEqual([]);
    expect(launchFolder()).toEqual([]);
  });

  it('a set-up that fails is told from a workload that fails, by a stable code', async () => {
    const broken = test.another({ helpers: { ...test.helpers, executor: '/bin/false' } });
    await expect(broken.launch(test.request(['true']))).rejects.toMatchObject({ code: 'launch.setup-failed' });
    const gone = test.another({ helpers: { ...test.helpers, executor: '/nonexistent/executor' } });
    await expect(gone.launch(test.request(['true']))).rejects.toMatchObject({ code: 'launch.executor-missing' });
    const { end, stderr } = await test.sh(`echo "bwrap: Can't find source path" >&2; exit 1`);
    expect({ end, stderr }).toEqual({ end: { reason: 'exited', exitCode: 1 }, stderr: "bwrap: Can't find source path\n" });
  });
});

describe('what changes between the check and the mount', () => {
  /** A launcher for which something happens right after a launch was checked, and before anything is mounted. */
  const launchAround = (granted: string, between: () => void): Promise<Run> => {
    const { egress } = test;
    const launcher = test.another({
      egress: {
        ...egress,
        assign: (...args) => {
          between();
          return egress.assign(...args);
        },
      },
    });
    return launcher.launch(
      test.request(['sh', '-c', `cat ${granted}/*`], {
        plan: planOf(world, `allow: { filesystem: { write: ["\${workspace}", "${granted}"] } }`),
      }),
    );
  };
  const nothingLeft = async (): Promise<void> => {
    await test.launcher.stop();
    await expect.poll(() => processesWith(test.helpers.folder), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => processesWith(path.join(world.runtimeDir, 'egress')), { timeout: 10_000 }).toEqual([]);
    expect(fs.readdirSync(path.join(world.runtimeDir, 'egress'))).toEqual([]);
    expect(launchFolder()).toEqual([]);
  };

  it('a granted folder that goes away is a missing path', async () => {
    const granted = world.folder('goes');
    await expect(launchAround(granted, () => fs.rmdirSync(granted))).rejects.toMatchObject({ code: 'launch.path-missing' });
    await nothingLeft();
  });

  it('a granted folder exchanged for a link to another is stopped at the gate, and nothing of the launch is left', async () => {
    const granted = world.folder('exchanged');
    const secret = world.folder('secret');
    world.file('secret/token', 'secret');
    const swap = (): void => {
      fs.rmdirSync(granted);
      fs.symlinkSync(secret, granted);
    };
    await expect(launchAround(granted, swap)).rejects.toMatchObject({ code: 'launch.gate-refused' });
    await nothingLeft();
  });

  it('a granted folder exchanged for another folder is stopped at the gate too', async () => {
    const granted = world.folder('replaced');
    const other = world.folder('other');
    const swap = (): void => {
      fs.renameSync(granted, `${granted}.away`);
      fs.renameSync(other, granted);
    };
    await expect(launchAround(granted, swap)).rejects.toMatchObject({ code: 'launch.gate-refused' });
    await nothingLeft();
  });
});
