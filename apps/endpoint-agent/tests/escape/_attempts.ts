/** System calls tried from inside, by perl, which every Debian and every git has: no compiler is needed, and none must be there. */
import { expect } from 'vitest';
import type { LaunchRequest } from '../../src/launch/launcher.ts';
import type { TestLauncher } from '../_launcher.ts';

const column = process.arch === 'arm64' ? 1 : 0;
/** By name, for this machine. */
export const NR = Object.fromEntries(
  Object.entries({
    ioctl: [16, 29],
    socket: [41, 198],
    clone: [56, 220],
    ptrace: [101, 117],
    mount: [165, 40],
    umount2: [166, 39],
    setxattr: [188, 5],
    unshare: [272, 97],
    fallocate: [285, 47],
    inotify_init1: [294, 26],
    open_by_handle_at: [304, 265],
    setns: [308, 268],
    process_vm_readv: [310, 270],
    process_vm_writev: [311, 271],
    renameat2: [316, 276],
    pidfd_open: [434, 434],
    openat2: [437, 437],
    pidfd_getfd: [438, 438],
    fchmodat2: [452, 452],
  }).map(([name, numbers]) => [name, numbers[column] ?? 0]),
) as Readonly<Record<string, number>>;

export const EPERM = 1;
export const EACCES = 13;
export const EROFS = 30;
export const ENOSPC = 28;
export const ENOSYS = 38;
export const EAFNOSUPPORT = 97;
export const ECONNREFUSED = 111;

export const all = (names: readonly string[], error: number): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, error]));

/** `attempt NAME, RESULT` notes the error number of a call that gave a negative or false result, or 0. */
export const PRELUDE = [
  'use strict; use Fcntl; use Socket; $| = 1;',
  'sub attempt { my ($name, $result) = @_; my $error = $! + 0; print "$name ", (defined $result && length $result && $result >= 0 && "$result" ne "0 but false" ? 0 : $error), "\\n"; $! = 0 }',
  // A system call may write into what it is given, so perl wants variables.
  'sub text { my $copy = shift; return $copy . "" }',
].join('\n');

export const seenIn = (stdout: string): Record<string, number> =>
  Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name = '', error]) => [name, Number(error)]),
  );

/** Runs perl statements inside. @returns for each attempt its error number, 0 where it succeeded */
export const attemptsIn = async (
  test: TestLauncher,
  lines: readonly string[],
  change?: Partial<LaunchRequest>,
): Promise<Record<string, number>> => {
  const { stdout, stderr, end } = await test.run(['perl', '-e', [PRELUDE, ...lines].join('\n')], change);
  expect({ stderr, exitCode: end.exitCode }).toEqual({ stderr: '', exitCode: 0 });
  return seenIn(stdout);
};
