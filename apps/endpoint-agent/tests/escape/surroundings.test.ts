/** What a contained program can learn and reach beside files: sockets, secrets of its launcher, facts of the host. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { finish, planOf, startLauncher, type TestLauncher } from '../_launcher.ts';
import { createWorld, processesWith, type World } from '../_world.ts';
import { all, attemptsIn, EAFNOSUPPORT, ECONNREFUSED, NR } from './_attempts.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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

const attempts = (lines: readonly string[]): Promise<Record<string, number>> => attemptsIn(test, lines);

describe('sockets', () => {
  it('only four families exist, and of netlink only what tells of routes', async () => {
    const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, bluetooth: 31, alg: 38, vsock: 40, xdp: 44 };
    const others = { diag: 4, audit: 9, netfilter: 12, uevent: 15, generic: 16, crypto: 21 };
    const seen = await attempts([
      ...Object.entries(families).map(
        ([name, family]) => `attempt "${name}", syscall(${NR['socket']}, ${family}, ${family === 16 ? 3 : 1}, 0);`,
      ),
      ...Object.entries(others).map(([name, protocol]) => `attempt "${name}", syscall(${NR['socket']}, 16, 3, ${protocol});`),
    ]);
    expect(seen).toEqual({
      ...all(['unix', 'inet', 'inet6', 'netlink'], 0),
      ...all(['packet', 'bluetooth', 'alg', 'vsock', 'xdp', ...Object.keys(others)], EAFNOSUPPORT),
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

describe('facts of the host', () => {
  it('its /etc tells how programs start, and nothing of the machine or its people', async () => {
    const { stdout } = await test.sh('cat /etc/passwd /etc/group /etc/hosts /etc/hostname /etc/resolv.conf /etc/machine-id; hostname');
    const { name, uid, gid } = world.account;
    const lines = stdout.trim().split('\n');
    const people = lines.filter((line) => /^[^:]+:x:/.test(line)).map((line) => line.split(':')[0] ?? '');
    expect(new Set(people)).toEqual(new Set(['root', 'nobody', 'nogroup', name]));
    for (const file of ['machine-id', 'hostname'].map((at) => `/etc/${at}`).filter((at) => fs.existsSync(at)))
      expect(lines).not.toContain(fs.readFileSync(file, 'utf8').trim());
    const inside = (await test.sh('ls -A /etc')).stdout.trim().split('\n');
    expect(inside.filter((name) => /shadow|sudoers|cron|^ssh$|fstab|npmrc|pip\.conf|-$/.test(name))).toEqual([]);
    const { stdout: who } = await test.run(['perl', '-e', 'print join ":", (getpwuid $<)[0, 2, 3]']);
    expect(who).toBe(`${name}:${uid}:${gid}`);
  });

  it('what programs need of it is there: certificates, the linker’s paths, names of services, time zones', async () => {
    const wanted = ['/etc/ssl/certs/ca-certificates.crt', '/etc/ld.so.cache', '/etc/services', '/etc/nsswitch.conf', '/etc/localtime'];
    const there = wanted.filter((place) => fs.existsSync(place));
    const { stdout } = await test.sh(`sha256sum ${there.join(' ')} | cut -d' ' -f1`);
    expect(stdout.trim().split('\n')).toEqual(there.map((place) => createHash('sha256').update(fs.readFileSync(place)).digest('hex')));
  });

  it('a policy that names a file there shows it as it is, and a deny hides it', async (context) => {
    context.skip(!fs.existsSync('/etc/fstab'), 'this machine has no /etc/fstab');
    const line = {
      plan: planOf(
        world,
        'allow: { filesystem: { read: ["/etc/fstab"], write: ["${workspace}"] } }\ndeny: { filesystem: { access: ["/etc/services", "/etc/ssl"] } }',
      ),
    };
    const { stdout } = await test.sh('sha256sum < /etc/fstab; cat /etc/services; ls -A /etc/ssl', line);
    expect(stdout).toBe(`${createHash('sha256').update(fs.readFileSync('/etc/fstab')).digest('hex')}  -\n`);
    expect((await test.sh('cat /etc/fstab')).stdout).toBe('');
  });

  it('a policy that grants all of /etc shows all of it that everybody may read', async () => {
    const { stdout } = await test.sh('cat /etc/passwd', {
      plan: planOf(world, 'allow: { filesystem: { read: ["/etc"], write: ["${workspace}"] } }'),
    });
    expect(stdout).toBe(fs.readFileSync('/etc/passwd', 'utf8'));
  });

  it('how this machine started, its keys, its control group and this boot of it are not to be read', async () => {
    const { stdout } = await test.sh('cat /proc/cmdline /proc/keys /proc/key-users /proc/sys/kernel/random/boot_id; cat /proc/self/cgroup');
    expect(stdout.split('\n').filter((line) => line !== '' && !/^\d+:[^:]*:\/(\.\.\/.*)?$/.test(line))).toEqual([]);
    const groups = fs.readlinkSync('/proc/self/ns/cgroup');
    expect((await test.sh('readlink /proc/self/ns/cgroup')).stdout.trim()).not.toBe(groups);
  });
});
