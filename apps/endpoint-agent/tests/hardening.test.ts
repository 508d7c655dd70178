/** What a contained program tries against its sandbox, each as a real contained run. Attempts are system calls made by perl, which every Debian has. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Launcher } from '../src/launch/launcher.ts';
import { finish, planOf, startLauncher, type TestLauncher } from './_launcher.ts';
import { createWorld, IS_ROOT, processesWith, type World } from './_world.ts';

const SECRET = `planted-${randomBytes(12).toString('hex')}`;

let world: World;
let test: TestLauncher;
beforeAll(async () => {
  process.env['CORDON_TEST_PLANTED'] = SECRET; // in the environment of whoever launches
  world = createWorld();
  test = await startLauncher(world);
});
afterAll(async () => {
  delete process.env['CORDON_TEST_PLANTED'];
  await test?.stop();
  world?.remove();
});

const column = process.arch === 'arm64' ? 1 : 0;
const NR = Object.fromEntries(
  Object.entries({
    ioctl: [16, 29],
    socket: [41, 198],
    clone: [56, 220],
    ptrace: [101, 117],
    mount: [165, 40],
    umount2: [166, 39],
    add_key: [248, 217],
    request_key: [249, 218],
    keyctl: [250, 219],
    unshare: [272, 97],
    perf_event_open: [298, 241],
    open_by_handle_at: [304, 265],
    setns: [308, 268],
    process_vm_readv: [310, 270],
    process_vm_writev: [311, 271],
    renameat2: [316, 276],
    bpf: [321, 280],
    userfaultfd: [323, 282],
    io_uring_setup: [425, 425],
    clone3: [435, 435],
    openat2: [437, 437],
    pidfd_open: [434, 434],
    pidfd_getfd: [438, 438],
    fchmodat2: [452, 452],
  }).map(([name, numbers]) => [name, numbers[column] ?? 0]),
);
const EPERM = 1;
const EROFS = 30;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const ECONNREFUSED = 111;

/** Runs perl statements, of which `try NAME, RESULT` notes the error number of a call that gave a negative or false result, or 0. */
const attempts = async (lines: readonly string[]): Promise<Record<string, number>> => {
  const program = [
    'use strict; use Fcntl; use Socket; $| = 1;',
    'sub attempt { my ($name, $result) = @_; my $error = $! + 0; print "$name ", (defined $result && length $result && $result >= 0 && "$result" ne "0 but false" ? 0 : $error), "\\n"; $! = 0 }',
    // A system call may write into what it is given, so perl wants variables.
    'sub text { my $copy = shift; return $copy . "" }',
    ...lines,
  ].join('\n');
  const { stdout, stderr, end } = await test.run(['perl', '-e', program]);
  expect({ stderr, exitCode: end.exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name = '', error]) => [name, Number(error)]),
  );
};
const all = (names: readonly string[], error: number): Record<string, number> => Object.fromEntries(names.map((name) => [name, error]));

describe('other processes', () => {
  it('cannot be traced, read, written or robbed of descriptors, the init of its own sandbox first of all', async () => {
    const seen = await attempts([
      'my $buffer = "x" x 64; my $iov = pack("PQ", $buffer, 64); my $remote = pack("QQ", 0x400000, 64);',
      `attempt "attach", syscall(${NR['ptrace']}, 16, 1, 0, 0);`,
      `attempt "seize", syscall(${NR['ptrace']}, 0x4206, 1, 0, 0);`,
      `attempt "traceme", syscall(${NR['ptrace']}, 0, 0, 0, 0);`,
      `attempt "read", syscall(${NR['process_vm_readv']}, 1, $iov, 1, $remote, 1, 0);`,
      `attempt "write", syscall(${NR['process_vm_writev']}, 1, $iov, 1, $remote, 1, 0);`,
      `my $pidfd = syscall(${NR['pidfd_open']}, 1, 0); attempt "getfd", syscall(${NR['pidfd_getfd']}, $pidfd, 0, 0);`,
    ]);
    expect(seen).toEqual(all(['attach', 'seize', 'traceme', 'read', 'write', 'getfd'], EPERM));
  });

  it('outside cannot be signalled, seen or joined', async () => {
    const outside = spawn('sleep', ['60'], { ...(IS_ROOT && { uid: world.account.uid, gid: world.account.gid }), stdio: 'ignore' });
    try {
      const { stdout } = await test.sh(
        `kill -9 ${outside.pid} 2>/dev/null && echo killed; perl -e 'kill 9, -1'; ls /proc | grep -c '^[0-9]'`,
      );
      // Its own shell, which kill(-1) spares or not, and never more than what the sandbox holds.
      expect(Number(stdout.trim().split('\n').at(-1) ?? 0)).toBeLessThan(8);
      expect(stdout).not.toContain('killed');
      expect(outside.exitCode ?? outside.signalCode).toBe(null);
    } finally {
      outside.kill('SIGKILL');
    }
  });
});

describe('capabilities, namespaces and mounts', () => {
  it('has no capability, no way to one, and its filter', async () => {
    const { stdout } = await test.sh('cat /proc/self/status');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(stdout).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(stdout).toMatch(/^Seccomp:\s+2$/m);
  });

  it('cannot make or join a namespace, mount, unmount or open by handle', async () => {
    const seen = await attempts([
      `attempt "unshare", syscall(${NR['unshare']}, 0x10000000);`,
      `attempt "clone", syscall(${NR['clone']}, 0x10000011, 0, 0, 0, 0);`,
      `open my $own, "<", "/proc/self/ns/net"; attempt "setns", syscall(${NR['setns']}, fileno($own), 0);`,
      `attempt "mount", syscall(${NR['mount']}, text("none"), text("/tmp"), text("tmpfs"), 0, 0);`,
      `attempt "remount", syscall(${NR['mount']}, text("none"), text("/"), 0, 0x20, 0);`,
      `attempt "umount", syscall(${NR['umount2']}, text("/proc/1"), 2);`,
      `my $handle = "x" x 32; attempt "handle", syscall(${NR['open_by_handle_at']}, -100, $handle, 0);`,
    ]);
    expect(seen).toEqual(all(['unshare', 'clone', 'setns', 'mount', 'remount', 'umount', 'handle'], EPERM));
    expect((await test.sh('unshare -U true')).end.exitCode).not.toBe(0);
    expect((await test.sh('bwrap --ro-bind / / true')).end.exitCode).not.toBe(0);
  });

  it('finds the rest of the kernel closed', async () => {
    const seen = await attempts([
      'my $zero = "\\0" x 128; my $key = 0;',
      `attempt "io_uring", syscall(${NR['io_uring_setup']}, 8, $zero);`,
      `attempt "clone3", syscall(${NR['clone3']}, $zero, 88);`,
      `attempt "openat2", syscall(${NR['openat2']}, -100, text("/etc/passwd"), $zero, 24);`,
      `attempt "userfaultfd", syscall(${NR['userfaultfd']}, 0);`,
      `attempt "bpf", syscall(${NR['bpf']}, 0, $zero, 72);`,
      `attempt "perf", syscall(${NR['perf_event_open']}, $zero, 0, -1, -1, 0);`,
      `attempt "add_key", syscall(${NR['add_key']}, text("user"), text("cordon"), text("secret"), 6, -3);`,
      `attempt "request_key", syscall(${NR['request_key']}, text("user"), text("cordon"), 0, -3);`,
      `attempt "keyctl", syscall(${NR['keyctl']}, 0, -3, 0);`,
      'attempt "tiocsti", ioctl(STDIN, 0x5412, text("x"));',
      'attempt "tioclinux", ioctl(STDIN, 0x541c, text("x"));',
    ]);
    expect(seen).toEqual({
      ...all(['io_uring', 'clone3', 'openat2'], ENOSYS),
      ...all(['userfaultfd', 'bpf', 'perf', 'add_key', 'request_key', 'keyctl', 'tiocsti', 'tioclinux'], EPERM),
    });
  });
});

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

describe('sockets', () => {
  it('only four families exist', async () => {
    const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, bluetooth: 31, alg: 38, vsock: 40, xdp: 44 };
    const seen = await attempts(
      Object.entries(families).map(
        ([name, family]) => `attempt "${name}", syscall(${NR['socket']}, ${family}, ${name === 'netlink' ? 3 : 1}, 0);`,
      ),
    );
    expect(seen).toEqual({
      ...all(['unix', 'inet', 'inet6', 'netlink'], 0),
      ...all(['packet', 'bluetooth', 'alg', 'vsock', 'xdp'], EAFNOSUPPORT),
    });
  });

  it('an abstract socket of the host, and every listener of the host, is out of reach', async () => {
    const name = `cordon-${randomBytes(6).toString('hex')}`;
    let connections = 0;
    const abstract = net.createServer(() => (connections += 1)).listen(`\0${name}`);
    const tcp = net.createServer(() => (connections += 1)).listen(0, '0.0.0.0');
    await Promise.all([once(abstract, 'listening'), once(tcp, 'listening')]);
    const { port } = tcp.address() as net.AddressInfo;
    const seen = await attempts([
      `socket my $u, AF_UNIX, SOCK_STREAM, 0; attempt "abstract", connect($u, pack_sockaddr_un("\\0${name}")) ? 1 : -1;`,
      `socket my $t, AF_INET, SOCK_STREAM, 0; attempt "loopback", connect($t, pack_sockaddr_in(${port}, inet_aton("127.0.0.1"))) ? 1 : -1;`,
    ]);
    expect(seen).toEqual({ abstract: ECONNREFUSED, loopback: ECONNREFUSED });
    expect(connections).toBe(0);
    await Promise.all([new Promise((resolve) => abstract.close(resolve)), new Promise((resolve) => tcp.close(resolve))]);
  });

  it('its network is loopback, and on it nothing but the proxy', async () => {
    const { stdout } = await test.sh(
      'tail -n +3 /proc/net/dev | cut -d: -f1; grep -c " 0A " /proc/net/tcp; cat /proc/net/route /proc/net/udp | grep -vc -e Iface -e local_address',
    );
    expect(stdout.split('\n').map((line) => line.trim())).toEqual(['lo', '1', '0', '']);
  });
});

describe('secrets', () => {
  it('nothing of the launcher’s environment is to be found inside', async () => {
    const line =
      'cat /proc/*/environ /proc/*/task/*/environ /proc/*/cmdline /proc/*/task/*/cmdline /proc/self/mountinfo 2>/dev/null | tr "\\0" "\\n"; ls -l /proc/*/fd /proc/*/cwd /proc/*/root 2>/dev/null';
    const { stdout } = await test.sh(line);
    expect(stdout).toContain('HTTPS_PROXY=');
    expect(stdout).not.toContain(SECRET);
    expect(stdout).not.toContain('CORDON');
    const init = await test.sh('cat /proc/1/environ /proc/1/task/1/environ /proc/1/cmdline; ls -A /proc/1');
    expect(init.stdout).toBe('');
  });

  it('the host’s process list shows the environment of a run nowhere, and its arguments only in its own processes', async () => {
    const [argument, value] = [`argument-${randomBytes(8).toString('hex')}`, `value-${randomBytes(8).toString('hex')}`];
    const run = await test.launcher.launch(test.request(['sh', '-c', 'echo started; read line', argument], { env: { TOKEN: value } }));
    await once(run.stdout, 'data');
    const namespace = fs.readlinkSync(`/proc/${run.attestation.pid}/ns/pid`);
    expect(processesWith(value)).toEqual([]);
    expect(processesWith(argument).map((pid) => fs.readlinkSync(`/proc/${pid}/ns/pid`))).toEqual([namespace]);
    // The executor, bubblewrap and the bridge carry neither the policy nor the start line's content.
    expect(
      processesWith('/var/tmp/cordon-story').filter((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('lxc-exec')),
    ).toEqual([]);
    run.stdin.end();
    await finish(run);
  });

  it('has no descriptor but its three streams', async () => {
    const { stdout } = await test.sh('for fd in /proc/self/fd/*; do [ -e "$fd" ] && echo "${fd##*/}"; done');
    expect(stdout.trim().split('\n')).toEqual(['0', '1', '2']);
  });
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

describe('the exchange race', () => {
  it('a folder that is exchanged for a link all the time is never the wrong one', async () => {
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
      for (let i = 0; i < 20; i += 1) {
        const request = test.request(['sh', '-c', 'cat file; echo x > left'], { plan, cwd: granted });
        outcomes.push(
          await test.launcher.launch(request).then(
            async (run) => (await finish(run)).stdout,
            (error: unknown) => (error as { code: string }).code,
          ),
        );
      }
    } finally {
      racer.kill('SIGKILL');
      await once(racer, 'exit');
    }
    const refusals = ['launch.path-link', 'launch.path-missing', 'launch.gate-refused'];
    expect(outcomes.filter((outcome) => outcome !== 'rightful' && !refusals.includes(outcome))).toEqual([]);
    expect(outcomes.some((outcome) => refusals.includes(outcome))).toBe(true); // the racer did race
    expect(fs.existsSync(path.join(secret, 'left'))).toBe(false);
    await test.launcher.stop();
    await expect.poll(() => processesWith(path.join(world.runtimeDir, 'egress')), { timeout: 10_000 }).toEqual([]);
  });
});
