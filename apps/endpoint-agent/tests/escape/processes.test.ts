/** A contained program against other processes, its own sandbox's init first of all. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { isAlive } from '../../src/launch/gate.ts';
import { ABSENT, REFUSED } from '../../src/launch/seccomp.ts';
import { finish, startLauncher, type TestLauncher } from '../_launcher.ts';
import { createWorld, IS_ROOT, processesWith, type World } from '../_world.ts';
import { all, attemptsIn, ENOSYS, EPERM, NR, PRELUDE, seenIn } from './_attempts.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** An ELF program of a few bytes: getpid by `int 0x80`, then exit(0) the usual way. */
const int80 = (): Buffer => {
  const code = Buffer.from('b814000000cd8031ffb83c0000000f05', 'hex');
  const elf = Buffer.alloc(120);
  Buffer.from('7f454c46020101', 'hex').copy(elf);
  elf.writeUInt16LE(2, 16); // executable
  elf.writeUInt16LE(62, 18); // x86-64
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(0x400078n, 24); // entry
  elf.writeBigUInt64LE(64n, 32); // program headers
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64); // load
  elf.writeUInt32LE(5, 68); // read, execute
  elf.writeBigUInt64LE(0x400000n, 80);
  elf.writeBigUInt64LE(0x400000n, 88);
  elf.writeBigUInt64LE(BigInt(120 + code.length), 96);
  elf.writeBigUInt64LE(BigInt(120 + code.length), 104);
  elf.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([elf, code]);
};
const SIGSYS = 31;

/**
 * The program that once outlived its run: it seizes its sandbox's init, takes the descriptor that tells the exit status from it and writes a false one, and goes on
 * in a session of its own, deaf to signals. Argument: a mark.
 */
const TRACER = `${PRELUDE}
my $pidfd = syscall(${NR['pidfd_open']}, 1, 0);
attempt "seize", syscall(${NR['ptrace']}, 0x4206, 1, 0, 0);
attempt "interrupt", syscall(${NR['ptrace']}, 0x4207, 1, 0, 0);
attempt "registers", syscall(${NR['ptrace']}, 0x4204, 1, 1, text("x" x 512));
my @taken;
for my $fd (0 .. 15) { my $got = syscall(${NR['pidfd_getfd']}, $pidfd, $fd, 0); push @taken, $got if $got >= 0 }
for my $fd (@taken) { if (open(my $event, "+<&=", $fd)) { syswrite($event, pack("Q", 1)) } }
print "taken ", scalar(@taken), "\n";
$SIG{$_} = "IGNORE" for qw(HUP INT TERM PIPE);
if (fork) { sleep 3600 } else { setpgrp; fork and sleep 3600; sleep 3600 }
`;

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

describe('a program that would outlive its run', () => {
  it('can do nothing to the init of its sandbox, tells no false end, and is gone with its run', async () => {
    const mark = `tracer-${path.basename(world.root)}`;
    const run = await test.launcher.launch(test.request(['perl', '-e', TRACER, mark]));
    const { pid, startTime } = run.attestation;
    let told = '';
    run.stdout.on('data', (chunk: Buffer) => (told += chunk.toString('utf8')));
    await expect.poll(() => told, { timeout: 10_000 }).toMatch(/^taken \d+\n/m);
    expect(seenIn(told)).toEqual({ ...all(['seize', 'interrupt', 'registers'], EPERM), taken: 0 });
    await expect.poll(() => processesWith(mark).length).toBe(3);
    expect(isAlive(pid, startTime)).toBe(true); // no end was told
    run.kill('killed');
    expect((await finish(run)).end).toEqual({ reason: 'killed', exitCode: 137 });
    expect(processesWith(mark)).toEqual([]);
  });

  it('could, without the filter: so the filter is what holds', async (context) => {
    const yama = '/proc/sys/kernel/yama/ptrace_scope';
    context.skip(fs.existsSync(yama) && fs.readFileSync(yama, 'utf8').trim() !== '0', 'this kernel lets nobody trace by itself (Yama)');
    const open = path.join(world.runtimeDir, 'open-filter');
    fs.writeFileSync(open, Buffer.from('060000000000ff7f', 'hex')); // everything is allowed
    const launcher = test.another({ helpers: { ...test.helpers, filter: open } });
    const run = await launcher.launch(
      test.request(['perl', '-e', `${PRELUDE} attempt "seize", syscall(${NR['ptrace']}, 0x4206, 1, 0, 0);`]),
    );
    expect(seenIn((await finish(run)).stdout)).toEqual({ seize: 0 });
  });
});

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

  it('finds the rest of the kernel closed: every call of the table is refused by the kernel itself', async () => {
    const column = process.arch === 'arm64' ? 1 : 0;
    const numbersOf = (table: Readonly<Record<string, readonly (number | null)[]>>): [string, number][] =>
      Object.entries(table).flatMap(([name, numbers]) => (typeof numbers[column] === 'number' ? [[name, numbers[column]]] : []));
    const refused = numbersOf(REFUSED);
    const absent = numbersOf(ABSENT);
    const seen = await attempts(
      [...refused, ...absent].map(([name, number]) => `attempt "${name}", syscall(${number}, -1, 0, 0, 0, 0, 0);`),
    );
    const names = (table: readonly [string, number][]): string[] => table.map(([name]) => name);
    expect(seen).toEqual({ ...all(names(refused), EPERM), ...all(names(absent), ENOSYS) });
  });

  it('types into no terminal', async () => {
    const seen = await attempts([
      'attempt "tiocsti", ioctl(STDIN, 0x5412, text("x"));',
      'attempt "tioclinux", ioctl(STDIN, 0x541c, text("x"));',
    ]);
    expect(seen).toEqual(all(['tiocsti', 'tioclinux'], EPERM));
  });

  it.skipIf(process.arch !== 'x64')(
    'the other tables of the processor lead nowhere: x32 has no calls, and who calls as a 32-bit program ends',
    async () => {
      const x32 = ['ptrace', 'unshare', 'mount', 'socket'].map(
        (name) => `attempt "${name}", syscall(0x40000000 + ${NR[name]}, 0, 0, 0, 0, 0);`,
      );
      expect(await attempts(x32)).toEqual(all(['ptrace', 'unshare', 'mount', 'socket'], ENOSYS));
      const file = world.file('workspace/int80', '', 0o755);
      fs.writeFileSync(file, int80());
      fs.chmodSync(file, 0o755);
      // Outside it does what it says, where the kernel still speaks 32 bits.
      const outside = spawnSync(file).status;
      const { end } = await test.run([file]);
      expect(outside === 0 ? end.exitCode : 128 + SIGSYS).toBe(128 + SIGSYS);
    },
  );
});
