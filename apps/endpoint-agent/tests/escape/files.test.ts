/** A contained program against files: what it must not see, change or leave. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { finish, planOf, startLauncher, type TestLauncher } from '../_launcher.ts';
import { createWorld, type World } from '../_world.ts';
import { all, attemptsIn, EPERM, EROFS, NR } from './_attempts.ts';
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

const attempts = (lines: readonly string[]): Promise<Record<string, number>> => attemptsIn(test, lines);

describe('files', () => {
  it('a write outside the grants fails, and says so', async () => {
    const readable = world.folder('readable');
    world.file('readable/file', 'x');
    const plan = planOf(world, `allow: { filesystem: { read: ["${readable}"], write: ["\${workspace}"] } }`);
    const places = [
      '/planted',
      '/etc/planted',
      '/usr/bin/planted',
      '/var/planted',
      `${world.root}/planted`,
      '/dev/planted',
      '/proc/1/planted',
      `${readable}/planted`,
    ];
    const { stdout } = await finish(
      await test.launcher.launch(
        test.request(
          ['perl', '-MFcntl', '-e', 'for (@ARGV) { print sysopen(my $f, $_, O_CREAT | O_WRONLY) ? "made" : $! + 0, " $_\\n" }', ...places],
          { plan },
        ),
      ),
    );
    expect(stdout.trim().split('\n')).toEqual(places.map((place) => `${EROFS} ${place}`));
    for (const place of places.slice(0, 6)) expect(fs.existsSync(place)).toBe(false);
  });

  it('what is denied is not there, and what is written to it neither vanishes nor arrives', async () => {
    const shared = world.folder('shared');
    world.folder('shared/credentials');
    const token = world.file('shared/credentials/token', SECRET);
    const single = world.file('shared/single', SECRET);
    const plan = planOf(
      world,
      `allow: { filesystem: { write: ["${shared}"] } }\ndeny: { filesystem: { access: ["${path.dirname(token)}", "${single}"] } }`,
    );
    const line = `cat ${token} ${single}; echo x > ${token}; echo x > ${single}; rm -rf ${path.dirname(token)} ${single}; mv ${path.dirname(token)} ${shared}/moved; echo done`;
    const { stdout } = await test.sh(line, { plan, cwd: shared });
    expect(stdout).toBe('done\n');
    expect([fs.readFileSync(token, 'utf8'), fs.readFileSync(single, 'utf8')]).toEqual([SECRET, SECRET]);
  });

  it('cannot leave a set-id file behind, by whatever call', async () => {
    fs.copyFileSync('/bin/true', path.join(world.workspace, 'program'));
    fs.chmodSync(path.join(world.workspace, 'program'), 0o777);
    const seen = await attempts([
      'open my $made, ">", "mine"; $! = 0;',
      'attempt "chmod", chmod(04755, "mine") ? 1 : -1;',
      'attempt "setgid", chmod(02755, "mine") ? 1 : -1;',
      'attempt "fchmod", chmod(06755, $made) ? 1 : -1;',
      'attempt "open", sysopen(my $f, "opened", O_CREAT | O_WRONLY, 04755) ? 1 : -1;',
      'attempt "unnamed", sysopen(my $g, ".", 020200000 | O_WRONLY, 04755) ? 1 : -1;',
      `attempt "fchmodat2", syscall(${NR['fchmodat2']}, -100, text("mine"), 04755, 0);`,
      'attempt "ordinary", sysopen(my $h, "ordinary", O_CREAT | O_WRONLY, 0755) && chmod(0700, "ordinary") ? 1 : -1;',
    ]);
    expect(seen).toEqual({ ...all(['chmod', 'setgid', 'fchmod', 'open', 'unnamed', 'fchmodat2'], EPERM), ordinary: 0 });
    const modes = fs.readdirSync(world.workspace).map((name) => fs.lstatSync(path.join(world.workspace, name)).mode & 0o6000);
    expect(modes.every((mode) => mode === 0)).toBe(true);
  });

  it('makes no device, gives no capability to a file, and breaks no rule by a link or a long way round', async () => {
    const secret = world.file('secret', SECRET);
    fs.mkdirSync(path.join(world.workspace, 'ways'), { recursive: true });
    const { stdout } = await test.sh(
      `cd ways; for kind in 'c 1 1' 'b 8 0'; do mknod dev $kind 2>/dev/null && echo made; done; ln -s ${secret} link; cat link; ln ${secret} hard; cat hard; cat ../../secret; cat /proc/self/cwd/../../secret; cat /proc/self/root${secret}; ls /proc/*/root${path.dirname(secret)} | grep secret`,
    );
    expect(stdout).toBe('');
    const seen = await attempts([
      'open my $made, ">", "capable"; close $made; my $cap = pack("VVVVV", 0x02000001, 0xffffffff, 0, 0, 0);',
      `attempt "capability", syscall(${NR['setxattr']}, text("capable"), text("security.capability"), $cap, 20, 0);`,
    ]);
    expect(seen).toEqual({ capability: EPERM });
  });

  it('has private memory file systems with a size, and no other writable place', async () => {
    const { stdout } = await test.sh('cat /proc/self/mountinfo');
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const writable = rows.filter((fields) => fields[5]?.split(',').includes('rw')).map((fields) => fields[4]);
    expect(writable.filter((target) => !/^\/dev\/(null|zero|full|random|urandom|tty|console)$/.test(target ?? '')).sort()).toEqual(
      ['/dev/pts', '/dev/shm', '/proc', '/tmp', world.workspace].sort(),
    );
    for (const target of ['/tmp', '/dev/shm']) expect(rows.find((fields) => fields[4] === target)?.at(-1)).toMatch(/size=1048576k/);
    expect((await test.sh('echo x > /tmp/a && echo x > /dev/shm/a && ls -A /tmp /dev/shm')).stdout).toContain('a');
  });

  it('sees nothing of the resolver, of other users’ places or of the host’s devices', async () => {
    const { stdout } = await test.sh('ls -A /run /var/run/ /home /root /opt /srv /mnt /media /sys /boot 2>/dev/null; ls /dev');
    expect(stdout.trim().split('\n').sort()).toEqual(
      ['core', 'fd', 'full', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero'].sort(),
    );
  });
});
