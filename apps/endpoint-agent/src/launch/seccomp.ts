/**
 * The system-call filter as bytes for bubblewrap's `--seccomp`: classic BPF, default allow, an error for what an agent has no business with. Built from a table
 * of names with each architecture's numbers, without native code.
 */
export type Architecture = 'x64' | 'arm64';

const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Number on x64 and arm64; null where the architecture has no such call. */
export const REFUSED: Readonly<Record<string, readonly [x64: number, arm64: number | null]>> = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  perf_event_open: [298, 241],
  init_module: [175, 105],
  delete_module: [176, 106],
  finit_module: [313, 273],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  sysfs: [139, null],
  personality: [135, 92],
  syslog: [103, 116],
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  pkey_mprotect: [329, 288],
  pkey_alloc: [330, 289],
  memfd_secret: [447, 447],
  quotactl: [179, 60],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  iopl: [172, null],
  ioperm: [173, null],
};
/** Answered as if the kernel did not have them, so that libraries fall back. */
export const ABSENT: Readonly<Record<string, readonly [number, number]>> = {
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  clone3: [435, 435],
  openat2: [437, 437], // its mode lies in memory, where a filter cannot look
};
/** Calls that set a mode: the argument that holds it. Set-id bits are refused. */
const MODES: Readonly<Record<string, readonly [x64: number, arm64: number | null, argument: number]>> = {
  chmod: [90, null, 1],
  fchmod: [91, 52, 1],
  fchmodat: [268, 53, 2],
  fchmodat2: [452, 452, 2],
  creat: [85, null, 1],
  mknod: [133, null, 1],
  mknodat: [259, 33, 2],
};
/** Calls that make a file by opening it: the argument that holds the flags; the mode follows, and counts only where a file is made. */
const OPENS: Readonly<Record<string, readonly [x64: number, arm64: number | null, flags: number]>> = {
  open: [2, null, 1],
  openat: [257, 56, 2],
};
const CLONE: readonly [number, number] = [56, 220];
const IOCTL: readonly [number, number] = [16, 29];
const SOCKET: readonly [number, number] = [41, 198];
const SOCKETPAIR: readonly [number, number] = [53, 199];

const LOAD = 0x20,
  IF_EQUAL = 0x15,
  IF_GREATER_EQUAL = 0x35,
  IF_SET = 0x45,
  RETURN = 0x06;
const ALLOW = 0x7fff0000,
  EPERM = 0x00050001,
  ENOSYS = 0x00050026,
  EAFNOSUPPORT = 0x00050061,
  KILL = 0x80000000;
const OFFSET_NUMBER = 0,
  OFFSET_ARCH = 4,
  OFFSET_ARGUMENTS = 16;
const NAMESPACE_FLAGS = 0x7e020000;
const TIOCSTI = 0x5412,
  TIOCLINUX = 0x541c;
/** unix, inet, inet6: what an agent needs; no vsock, packet, bluetooth, alg, ... */
const FAMILIES = [1, 2, 10];
/** Of netlink only what lists interfaces and routes. */
const NETLINK = 16,
  NETLINK_ROUTE = 0;
const SET_ID = 0o6000;
/** O_CREAT, or what O_TMPFILE has beside O_DIRECTORY. */
const MAKES_FILE = 0o20_000_100;

/** @returns the filter program, eight bytes an instruction, little endian */
export const seccompFilter = (architecture: Architecture): Buffer => {
  const column = architecture === 'x64' ? 0 : 1;
  const program: Buffer[] = [];
  const op = (code: number, ifTrue: number, ifFalse: number, k: number): void => {
    const instruction = Buffer.alloc(8);
    instruction.writeUInt16LE(code, 0);
    instruction[2] = ifTrue;
    instruction[3] = ifFalse;
    instruction.writeUInt32LE(k >>> 0, 4);
    program.push(instruction);
  };
  const argument = (index: number): void => op(LOAD, 0, 0, OFFSET_ARGUMENTS + 8 * index);
  const always = (numbers: readonly (number | null)[], answer: number): void => {
    for (const number of numbers) {
      if (number === null) continue;
      op(IF_EQUAL, 0, 1, number);
      op(RETURN, 0, 0, answer);
    }
  };
  op(LOAD, 0, 0, OFFSET_ARCH);
  op(IF_EQUAL, 1, 0, AUDIT_ARCH[architecture]);
  op(RETURN, 0, 0, KILL);
  op(LOAD, 0, 0, OFFSET_NUMBER);
  if (architecture === 'x64') {
    op(IF_GREATER_EQUAL, 0, 1, 0x40000000); // the x32 numbers
    op(RETURN, 0, 0, ENOSYS);
  }
  always(
    Object.values(REFUSED).map((row) => row[column] ?? null),
    EPERM,
  );
  always(
    Object.values(ABSENT).map((row) => row[column] ?? null),
    ENOSYS,
  );
  // A call that is judged by an argument: load it, refuse or allow at once.
  op(IF_EQUAL, 0, 4, CLONE[column] ?? 0);
  argument(0);
  op(IF_SET, 0, 1, NAMESPACE_FLAGS);
  op(RETURN, 0, 0, EPERM);
  op(RETURN, 0, 0, ALLOW);
  op(IF_EQUAL, 0, 5, IOCTL[column] ?? 0);
  argument(1);
  op(IF_EQUAL, 1, 0, TIOCSTI);
  op(IF_EQUAL, 0, 1, TIOCLINUX);
  op(RETURN, 0, 0, EPERM);
  op(RETURN, 0, 0, ALLOW);
  for (const [x64, arm64, index] of Object.values(MODES)) {
    const number = architecture === 'x64' ? x64 : arm64;
    if (number === null) continue;
    op(IF_EQUAL, 0, 4, number);
    argument(index);
    op(IF_SET, 0, 1, SET_ID);
    op(RETURN, 0, 0, EPERM);
    op(RETURN, 0, 0, ALLOW);
  }
  for (const [x64, arm64, index] of Object.values(OPENS)) {
    const number = architecture === 'x64' ? x64 : arm64;
    if (number === null) continue;
    op(IF_EQUAL, 0, 6, number);
    argument(index);
    op(IF_SET, 0, 3, MAKES_FILE);
    argument(index + 1);
    op(IF_SET, 0, 1, SET_ID);
    op(RETURN, 0, 0, EPERM);
    op(RETURN, 0, 0, ALLOW);
  }
  for (const call of [SOCKET, SOCKETPAIR]) {
    op(IF_EQUAL, 0, FAMILIES.length + 6, call[column] ?? 0);
    argument(0);
    FAMILIES.forEach((family, i) => op(IF_EQUAL, FAMILIES.length - i + 3, 0, family));
    op(IF_EQUAL, 0, 2, NETLINK);
    argument(2);
    op(IF_EQUAL, 1, 0, NETLINK_ROUTE);
    op(RETURN, 0, 0, EAFNOSUPPORT);
    op(RETURN, 0, 0, ALLOW);
  }
  op(RETURN, 0, 0, ALLOW);
  return Buffer.concat(program);
};
