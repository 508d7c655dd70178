/** What changes while a run lives, and what it leaves behind: masks that fall, sockets in its folders, files that programs of the host obey, and means that it uses up. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/launch/guard.ts';
import type { LaunchRequest, Run } from '../../src/launch/launcher.ts';
import { finish, planOf, startLauncher, type TestLauncher } from '../_launcher.ts';
import { mountTinyDisk } from '../_tiny-disk.ts';
import { createWorld, IS_ROOT, type World } from '../_world.ts';
import { attemptsIn, EACCES, ENOSPC, NR } from './_attempts.ts';

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

/** A run of a shell line that has begun, and what was found about it. */
const begin = async (line: string, change: Partial<LaunchRequest>): Promise<{ run: Run; findings: Finding[] }> => {
  const findings: Finding[] = [];
  const request = test.request(['sh', '-c', `echo begun; ${line}`], { ...change, onFinding: (finding) => findings.push(finding) });
  const run = await test.launcher.launch(request);
  await once(run.stdout, 'readable');
  return { run, findings };
};
const writing = (folder: string, more = '') => planOf(world, `allow: { filesystem: { write: ["${folder}"] } }\n${more}`, folder);
const listening = async (place: string): Promise<{ server: net.Server; connections: () => number }> => {
  let connections = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(place, resolve));
  fs.chmodSync(place, 0o777);
  return { server, connections: () => connections };
};
const close = (server: net.Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

describe('a mask that falls', () => {
  it.each([
    ['a new file takes the place of a denied one', 'access', (place: string, next: string) => fs.renameSync(next, place)],
    ['a denied file is removed and made again', 'access', (place: string) => (fs.rmSync(place), fs.writeFileSync(place, SECRET))],
    ['a new file takes the place of a protected one', 'write', (place: string, next: string) => fs.renameSync(next, place)],
  ])('%s: the run ends, and it is told', async (_name, access, change) => {
    const folder = world.folder(`masked-${randomBytes(4).toString('hex')}`);
    const place = path.join(folder, 'token');
    const next = path.join(folder, 'next');
    for (const file of [place, next]) fs.writeFileSync(file, 'old', { mode: 0o644 });
    const plan = writing(folder, `deny: { filesystem: { ${access}: ["${place}"] } }`);
    const { run, findings } = await begin('while :; do sleep 1; done', { plan, cwd: folder });
    change(place, next);
    expect((await finish(run)).end).toEqual({ reason: 'killed', exitCode: 137 });
    expect(findings).toEqual([{ code: 'run.uncovered', place }]);
  });

  it('a folder that is denied hides what is replaced in it, so nothing ends', async () => {
    const folder = world.folder('whole');
    const hidden = path.join(folder, 'hidden');
    fs.mkdirSync(hidden);
    const plan = writing(folder, `deny: { filesystem: { access: ["${hidden}"] } }`);
    const { run, findings } = await begin(`read line; cat ${hidden}/token`, { plan, cwd: folder });
    fs.writeFileSync(path.join(folder, 'next'), SECRET);
    fs.renameSync(path.join(folder, 'next'), path.join(hidden, 'token'));
    const { stdout, end } = await finish(run, '\n');
    expect({ reason: end.reason, isTold: stdout.includes(SECRET), findings }).toEqual({ reason: 'exited', isTold: false, findings: [] });
  });

  it('a denied file that has a second name is refused before anything runs', async () => {
    const folder = world.folder('linked');
    const place = world.file('linked/token', SECRET);
    fs.linkSync(place, path.join(folder, 'innocent'));
    const plan = writing(folder, `deny: { filesystem: { access: ["${place}"] } }`);
    await expect(test.sh('cat innocent', { plan, cwd: folder })).rejects.toMatchObject({ code: 'launch.path-hard-link' });
    fs.rmSync(path.join(folder, 'innocent'));
    expect((await test.sh('cat token 2>&1', { plan, cwd: folder })).stdout).not.toContain(SECRET);
  });
});

describe('sockets in what is granted', () => {
  it.each(['write', 'read'])('one that was there is not to be spoken to (%s)', async (access) => {
    const folder = world.folder(`spoken-${access}`);
    const { server, connections } = await listening(path.join(folder, 'editor.sock'));
    const grants = access === 'write' ? `write: ["${folder}"]` : `read: ["${folder}"]`;
    const plan = planOf(world, `allow: { filesystem: { ${grants} } }`, folder);
    const seen = await attemptsIn(
      test,
      [`socket my $u, AF_UNIX, SOCK_STREAM, 0; attempt "connect", connect($u, pack_sockaddr_un("${folder}/editor.sock")) ? 1 : -1;`],
      { plan, cwd: folder },
    );
    expect(seen).toEqual({ connect: expect.toSatisfy((error: number) => error === EACCES || error === 111) as unknown });
    expect(connections()).toBe(0);
    await close(server);
  });

  it('one that appears meanwhile is told, and so is one that the run leaves', async () => {
    const folder = world.folder('appears');
    const plan = writing(folder);
    const { run, findings } = await begin('read line', { plan, cwd: folder });
    const { server } = await listening(path.join(folder, 'late.sock'));
    await expect.poll(() => findings, { timeout: 10_000 }).toEqual([{ code: 'run.socket', place: path.join(folder, 'late.sock') }]);
    await finish(run, '\n');
    await close(server);
    const left = await begin(`perl -MSocket -e 'socket my $u, AF_UNIX, SOCK_STREAM, 0; bind $u, pack_sockaddr_un("left.sock")'`, {
      plan,
      cwd: folder,
    });
    await finish(left.run);
    expect(left.findings).toEqual([{ code: 'run.socket', place: path.join(folder, 'left.sock') }]);
  });
});

describe('what programs of the host obey', () => {
  const HOOK = `printf '#!/bin/sh\\ntouch %s\\n'`;
  const git = (folder: string, ...args: readonly string[]) =>
    spawnSync('git', ['-c', 'safe.directory=*', '-c', 'user.name=x', '-c', 'user.email=x@x', '-C', folder, ...args], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    });

  it('a hook cannot be planted in a repository, whatever is moved about', async (context) => {
    const folder = world.folder('repository');
    context.skip(git(folder, 'init', '-q').status !== 0, 'git is not installed');
    fs.writeFileSync(path.join(folder, 'file'), 'x');
    git(folder, 'add', '.');
    git(folder, 'commit', '-qm', 'first');
    if (IS_ROOT) spawnSync('chown', ['-R', `${world.account.uid}:${world.account.gid}`, folder]);
    const marker = path.join(world.root, 'hooked');
    const line = [
      `${HOOK} ${marker} > hook; chmod 755 hook`,
      'cp hook .git/hooks/post-checkout',
      'mv .git elsewhere && cp -r elsewhere .git && cp hook .git/hooks/post-checkout',
      'mv .git/hooks .git/old && mkdir .git/hooks && cp hook .git/hooks/post-checkout',
      `git config core.hooksPath ${folder}`,
      'echo "[core] fsmonitor = ./hook" >> .git/config',
      'rm -rf .git/hooks .git/config; ln -s .. .git/hooks',
      'cp hook post-checkout; touch done',
    ].join('\n');
    await test.sh(line, { plan: writing(folder), cwd: folder });
    expect(fs.existsSync(path.join(folder, 'done'))).toBe(true);
    expect(git(folder, 'checkout', '-q', '-b', 'next').status).toBe(0);
    git(folder, 'status');
    expect(fs.existsSync(marker)).toBe(false);
  });

  it('what cannot be masked since it is new or lies deeper is found when the run is over', async () => {
    const folder = world.folder('fresh');
    const { run, findings } = await begin(
      'mkdir -p .git/hooks sub/.git/hooks .vscode; touch .git/hooks/post-checkout sub/.git/hooks/pre-push .vscode/tasks.json .envrc README',
      {
        plan: writing(folder),
        cwd: folder,
      },
    );
    expect((await finish(run)).end.exitCode).toBe(0);
    expect(findings.map(({ code, place }) => `${code} ${path.relative(folder, place)}`).sort()).toEqual(
      ['.envrc', '.git/hooks', '.vscode', 'sub/.git/hooks'].map((place) => `run.planted ${place}`),
    );
  });
});

describe('means that are used up', () => {
  it('notifications of the account are: launches go on, and a mask that falls is seen', async () => {
    const greedy = await test.launcher.launch(
      test.request([
        'perl',
        '-e',
        `$| = 1; my $n = 0; $n++ while $n < 4096 && syscall(${NR['inotify_init1']}, 0) >= 0; print "$n\\n"; <STDIN>`,
      ]),
    );
    const [count] = (await once(greedy.stdout, 'data')) as [Buffer];
    expect(Number(count.toString())).toBeGreaterThan(0);
    const folder = world.folder('unwatched');
    const place = world.file('unwatched/token', 'old');
    const { run, findings } = await begin('while :; do sleep 1; done', {
      plan: writing(folder, `deny: { filesystem: { access: ["${place}"] } }`),
      cwd: folder,
    });
    fs.writeFileSync(`${place}.next`, SECRET);
    fs.renameSync(`${place}.next`, place);
    expect((await finish(run)).end.reason).toBe('killed');
    expect(findings).toEqual([{ code: 'run.uncovered', place }]);
    await finish(greedy, '\n');
  });

  it('the disk of its workspace is: it is told so, and runs there go on to be started, watched and ended', async (context) => {
    const disk = mountTinyDisk(4 * 1024 * 1024);
    if (disk === undefined) return context.skip('only root can mount a small disk');
    onTestFinished(() => disk.remove());
    const folder = path.join(disk.folder, 'work');
    fs.mkdirSync(folder);
    fs.chmodSync(disk.folder, 0o755);
    fs.chownSync(folder, world.account.uid, world.account.gid);
    const place = path.join(folder, 'token');
    fs.writeFileSync(place, 'old');
    const change = { plan: writing(folder, `deny: { filesystem: { access: ["${place}"] } }`), cwd: folder };
    const filled = await test.sh('cat /dev/zero > full; echo x > more', change);
    expect(filled.stderr).toMatch(/No space left on device/);
    const { run, findings } = await begin('while :; do sleep 1; done', change);
    fs.renameSync(place, `${place}.away`);
    expect((await finish(run)).end.reason).toBe('killed');
    expect(findings).toEqual([{ code: 'run.uncovered', place }]);
  });

  it('its memory file systems have a size, its masks none at all', async () => {
    const beyond = 2 * 1024 ** 3;
    const seen = await attemptsIn(test, [
      ...['/tmp', '/dev/shm'].map(
        (place) =>
          `open my $f, ">", "${place}/big" or die; attempt "${place}", syscall(${NR['fallocate']}, fileno($f), 0, 0, ${beyond}); close $f;`,
      ),
      'attempt "mask", (open my $m, ">", "/proc/1/x") ? 1 : -1;',
    ]);
    expect(seen).toEqual({ '/tmp': ENOSPC, '/dev/shm': ENOSPC, mask: 30 });
  });
});
