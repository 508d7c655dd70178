import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { seccompFilter, type Architecture } from './seccomp.ts';

/** Classic BPF as the kernel runs it on struct seccomp_data (linux/filter.h, seccomp(2)): only the instructions of seccomp filters, anything else is a fault. */
const interpret = (program: Buffer, data: Buffer): number => {
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const code = program.readUInt16LE(at);
    const k = program.readUInt32LE(at + 4);
    const jump = (taken: boolean): void => void (at += 8 * (program[at + (taken ? 2 : 3)] ?? 0));
    if (code === 0x06) return k;
    else if (code === 0x20 && k % 4 === 0 && k + 4 <= data.length) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else throw new Error(`instruction ${code.toString(16)} at ${at / 8}`);
  }
  throw new Error('ran off the end of the program');
};

const ARCH = { x64: 0xc000003e, arm64: 0xc00000b7, i386: 0x40000003, arm: 0x40000028 } as const;
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050000 + 38;
const EAFNOSUPPORT = 0x00050000 + 97;
const KILL_PROCESS = 0x80000000;

interface Call {
  readonly nr: number;
  readonly args?: readonly (number | bigint)[];
  readonly arch?: number;
}

/** struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]. */
const judge = (architecture: Architecture, { nr, args = [], arch = ARCH[architecture] }: Call): number => {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, i) => data.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), 16 + 8 * i));
  return interpret(seccompFilter(architecture), data);
};

/** Numbers from the kernel's unistd headers, x86-64 and generic, written down a second time. */
const DENIED: readonly (readonly [string, number, number | undefined])[] = [
  ['ptrace', 101, 117],
  ['process_vm_readv', 310, 270],
  ['process_vm_writev', 311, 271],
  ['kcmp', 312, 272],
  ['pidfd_getfd', 438, 438],
  ['add_key', 248, 217],
  ['request_key', 249, 218],
  ['keyctl', 250, 219],
  ['bpf', 321, 280],
  ['userfaultfd', 323, 282],
  ['perf_event_open', 298, 241],
  ['unshare', 272, 97],
  ['setns', 308, 268],
  ['mount', 165, 40],
  ['umount2', 166, 39],
  ['pivot_root', 155, 41],
  ['chroot', 161, 51],
  ['open_tree', 428, 428],
  ['move_mount', 429, 429],
  ['fsopen', 430, 430],
  ['fsconfig', 431, 431],
  ['fsmount', 432, 432],
  ['fspick', 433, 433],
  ['mount_setattr', 442, 442],
  ['name_to_handle_at', 303, 264],
  ['open_by_handle_at', 304, 265],
  ['init_module', 175, 105],
  ['finit_module', 313, 273],
  ['kexec_load', 246, 104],
  ['reboot', 169, 142],
  ['personality', 135, 92],
  ['syslog', 103, 116],
  ['iopl', 172, undefined],
  ['ioperm', 173, undefined],
];
const MISSING: readonly (readonly [string, number, number])[] = [
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['io_uring_register', 427, 427],
  ['clone3', 435, 435],
  ['openat2', 437, 437],
];
const ORDINARY: readonly (readonly [string, number, number])[] = [
  ['read', 0, 63],
  ['write', 1, 64],
  ['close', 3, 57],
  ['mmap', 9, 222],
  ['execve', 59, 221],
  ['exit_group', 231, 94],
  ['connect', 42, 203],
  ['futex', 202, 98],
  ['renameat2', 316, 276],
  ['landlock_restrict_self', 446, 446],
];

interface Numbers {
  readonly clone: number;
  readonly ioctl: number;
  readonly socket: number;
  readonly socketpair: number;
  /** [number, index of the argument that holds the mode] */
  readonly modes: Readonly<Record<string, readonly [number, number]>>;
  /** [number, index of the flags]; the mode follows them. */
  readonly opens: Readonly<Record<string, readonly [number, number]>>;
}
const NUMBERS: Readonly<Record<Architecture, Numbers>> = {
  x64: {
    clone: 56,
    ioctl: 16,
    socket: 41,
    socketpair: 53,
    modes: { chmod: [90, 1], fchmod: [91, 1], fchmodat: [268, 2], fchmodat2: [452, 2], creat: [85, 1], mknod: [133, 1], mknodat: [259, 2] },
    opens: { open: [2, 1], openat: [257, 2] },
  },
  arm64: {
    clone: 220,
    ioctl: 29,
    socket: 198,
    socketpair: 199,
    modes: { fchmod: [52, 1], fchmodat: [53, 2], fchmodat2: [452, 2], mknodat: [33, 2] },
    opens: { openat: [56, 2] },
  },
};

/** An argument list with one value at one place, garbage elsewhere: registers that a call does not use hold anything. */
const at = (index: number, value: number | bigint, next?: number | bigint): (number | bigint)[] =>
  Array.from({ length: 6 }, (_, i) => (i === index ? value : i === index + 1 && next !== undefined ? next : 0xdead_beef_dead_beefn));

describe.each(['x64', 'arm64'] as const)('the filter for %s', (architecture) => {
  const column = architecture === 'x64' ? 1 : 2;
  const numbers = NUMBERS[architecture];

  it('refuses what an agent has no business with', () => {
    const answers = DENIED.flatMap((row) => (row[column] === undefined ? [] : [[row[0], judge(architecture, { nr: row[column] })]]));
    expect(answers).toEqual(answers.map(([name]) => [name, EPERM]));
  });

  it('answers as if the kernel did not have what libraries can do without', () => {
    const answers = MISSING.map((row) => [row[0], judge(architecture, { nr: row[column] })]);
    expect(answers).toEqual(MISSING.map(([name]) => [name, ENOSYS]));
  });

  it('lets ordinary calls pass', () => {
    const answers = ORDINARY.map((row) => [row[0], judge(architecture, { nr: row[column] })]);
    expect(answers).toEqual(ORDINARY.map(([name]) => [name, ALLOW]));
  });

  it('kills a process that calls by the numbers of another architecture', () => {
    for (const arch of Object.values(ARCH).filter((value) => value !== ARCH[architecture]))
      expect(judge(architecture, { nr: 0, arch })).toBe(KILL_PROCESS);
  });

  it('refuses clone with any namespace flag, and allows threads and forks', () => {
    for (const flag of [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000])
      expect(judge(architecture, { nr: numbers.clone, args: at(0, flag | 17) }), flag.toString(16)).toBe(EPERM);
    for (const flags of [17, 0x0100_4111, 0x003d_0f00]) expect(judge(architecture, { nr: numbers.clone, args: at(0, flags) })).toBe(ALLOW);
  });

  it('refuses to type into a terminal, and allows other ioctls', () => {
    for (const command of [0x5412, 0x541c]) expect(judge(architecture, { nr: numbers.ioctl, args: at(1, command) })).toBe(EPERM);
    // The kernel looks at 32 bits of the command; a set high half is no way around.
    expect(judge(architecture, { nr: numbers.ioctl, args: at(1, 0xffff_ffff_0000_5412n) })).toBe(EPERM);
    for (const command of [0x5401, 0x5413, 0x541b, 0x5421])
      expect(judge(architecture, { nr: numbers.ioctl, args: at(1, command) })).toBe(ALLOW);
  });

  it('refuses set-id bits in every call that sets a mode', () => {
    for (const [name, [nr, index]] of Object.entries(numbers.modes)) {
      for (const mode of [0o4755, 0o2755, 0o6755]) expect(judge(architecture, { nr, args: at(index, mode) }), name).toBe(EPERM);
      for (const mode of [0o755, 0o644, 0o1777, 0]) expect(judge(architecture, { nr, args: at(index, mode) }), name).toBe(ALLOW);
    }
  });

  it('refuses set-id bits where a file is made by opening it, and ignores the mode where none is made', () => {
    const CREATE = 0o101;
    const UNNAMED = 0o20_200_001;
    for (const [name, [nr, index]] of Object.entries(numbers.opens)) {
      for (const flags of [CREATE, UNNAMED]) {
        expect(judge(architecture, { nr, args: at(index, flags, 0o4755) }), name).toBe(EPERM);
        expect(judge(architecture, { nr, args: at(index, flags, 0o2644) }), name).toBe(EPERM);
        expect(judge(architecture, { nr, args: at(index, flags, 0o644) }), name).toBe(ALLOW);
      }
      // O_DIRECTORY alone is half of O_TMPFILE, and the mode is whatever the register held.
      for (const flags of [0, 0o1, 0o200_000, 0o2_000_000])
        expect(judge(architecture, { nr, args: at(index, flags, 0o7777) }), name).toBe(ALLOW);
    }
  });

  it('gives sockets of four families and of no other, and of netlink only what tells of routes', () => {
    const args = (family: number, protocol: number): number[] => [family, 1, protocol];
    for (const nr of [numbers.socket, numbers.socketpair])
      for (let family = 0; family < 64; family += 1)
        for (const protocol of [0, 1, 6, 9, 15, 16, 17, 22]) {
          const isGiven = [1, 2, 10].includes(family) || (family === 16 && protocol === 0);
          expect(judge(architecture, { nr, args: args(family, protocol) }), `${family} ${protocol}`).toBe(isGiven ? ALLOW : EAFNOSUPPORT);
        }
  });

  it('has an answer for every call with every argument', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.array(fc.bigInt(0n, 2n ** 64n - 1n), { maxLength: 6 }), (nr, args) => {
        expect([ALLOW, EPERM, ENOSYS, EAFNOSUPPORT]).toContain(judge(architecture, { nr, args }));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is small enough for the kernel', () => {
    expect(seccompFilter(architecture).length / 8).toBeLessThan(4096);
  });
});

describe('the filter for x64', () => {
  it('answers that there are no x32 calls', () => {
    for (const nr of [0x4000_0000, 0x4000_0000 + 101, 0x4000_0209, 0xffff_ffff]) expect(judge('x64', { nr })).toBe(ENOSYS);
  });
});
