import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeInherited } from './descriptors.ts';
import { wrapperScript } from './wrapper.ts';

const VERSION = 'bubblewrap 0.8.0';
const ETC = "/srv/cordon's/etc";

let folder: string;
beforeAll(() => {
  closeInherited();
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-wrapper-'));
  // Stands for bubblewrap: prints what it is called with, and which descriptors it has.
  const fake = path.join(folder, 'real-bwrap');
  const open = 'for fd in /proc/self/fd/*; do [ ! -e "$fd" ] || [ "${fd##*/}" = 10 ] || printf " %s" "${fd##*/}"; done'; // 10 is the shell's script
  fs.writeFileSync(fake, `#!/bin/sh\nprintf '%s\\0' "$@"\nprintf fds\n${open}\n`, { mode: 0o755 });
  for (const [name, seated] of [
    ['bwrap', false],
    ['seated', true],
  ] as const)
    fs.writeFileSync(
      path.join(folder, name),
      wrapperScript({
        bubblewrap: [fake],
        version: VERSION,
        tmpBytes: 1_000_000,
        seated,
        etc: { folder: ETC, shared: ['/etc/ssl/certs'] },
        hostFacts: ['/proc/cmdline', '/proc/keys'],
      }),
      {
        mode: 0o755,
      },
    );
  fs.writeFileSync(path.join(folder, 'empty'), '');
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs the wrapper with descriptors 0 to `highest` open, as the executor does with 0 to 8, and those in `more`. */
const call = (args: readonly string[], more: readonly number[] = [], highest = 8, name = 'bwrap'): SpawnSyncReturns<string> => {
  const file = fs.openSync(path.join(folder, 'empty'), 'r');
  const stdio = Array.from({ length: Math.max(highest, ...more) + 1 }, (_, fd) =>
    fd === 1 || fd === 2 ? 'pipe' : fd <= highest || more.includes(fd) ? file : 'ignore',
  );
  try {
    // A gap must be a closed descriptor: Node would open /dev/null there.
    const gaps = stdio.flatMap((value, fd) => (value === 'ignore' ? [`exec ${fd}>&-`] : []));
    return spawnSync('bash', ['-c', `${gaps.join('\n')}\nexec "$@"`, 'bash', path.join(folder, name), ...args], {
      stdio,
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
  } finally {
    fs.closeSync(file);
  }
};
const passed = ({ stdout }: SpawnSyncReturns<string>): string[] => stdout.split('\0').slice(0, -1);

const descriptors = (stdout: string): string[] => stdout.slice(stdout.lastIndexOf('fds')).split(' ').slice(1);

const START = ['--', 'sh', '-c', '. /proc/self/fd/8'];
const NAMESPACES = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent', '--unshare-net'];
const HARDENING =
  '--unshare-cgroup-try --new-session --cap-drop ALL --disable-userns --hostname cordon --remount-ro / --seccomp 5 --json-status-fd 6 --block-fd 7'.split(
    ' ',
  );

describe('a call that is known', () => {
  it('passes on with exactly the hardening, and nothing of it lost', () => {
    const mounts = [
      '--ro-bind-try',
      '/bin',
      '/bin',
      '--ro-bind',
      '/opt',
      '/opt',
      '--bind',
      '/work',
      '/work',
      '--symlink',
      '/run',
      '/var/run',
    ];
    const result = call([...NAMESPACES, ...mounts, '--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', ...START]);
    expect(result.stderr).toBe('');
    expect(passed(result)).toEqual([...NAMESPACES, ...mounts, '--clearenv', '--setenv', 'PATH', '/usr/bin:/bin', ...HARDENING, ...START]);
  });

  it('shows its own /etc, but a granted one as it is, and hides what /proc tells of the host', () => {
    const masks = ['/proc/cmdline', '/proc/keys'].flatMap((place) => ['--ro-bind', '/dev/null', place]);
    expect(passed(call(['--ro-bind-try', '/etc', '/etc', '--proc', '/proc', '--ro-bind', '/etc', '/etc', ...START]))).toEqual(
      [
        [
          '--ro-bind',
          ETC,
          '/etc',
          '--ro-bind',
          '/etc/ssl/certs',
          '/etc/ssl/certs',
          '--proc',
          '/proc',
          ...masks,
          '--ro-bind',
          '/etc',
          '/etc',
        ],
        HARDENING,
        START,
      ].flat(),
    );
  });

  it('leaves the resolver folders of the host out', () => {
    const resolver = ['/run/systemd/resolve', '/run/NetworkManager', '/run/resolvconf', '/mnt/wsl/resolv.conf'].flatMap((place) => [
      '--ro-bind-try',
      place,
      place,
    ]);
    expect(passed(call([...resolver, ...START]))).toEqual([...HARDENING, ...START]);
  });

  it('gives /tmp and /dev/shm a size, and makes /dev and masks read-only', () => {
    expect(
      passed(call(['--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/proc/1', '--tmpfs', '/odd name', ...START])).slice(
        0,
        -HARDENING.length - START.length,
      ),
    ).toEqual(
      [
        ['--dev', '/dev', '--perms', '0700', '--size', '1000000', '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
        ['--perms', '0700', '--size', '1000000', '--tmpfs', '/tmp'],
        ['--size', '4096', '--tmpfs', '/proc/1', '--remount-ro', '/proc/1'],
        ['--size', '4096', '--tmpfs', '/odd name', '--remount-ro', '/odd name'],
      ].flat(),
    );
  });

  it('takes paths for what they are, whatever they look like', () => {
    const odd = ['--bind', '--', '--', '--ro-bind', "a 'b' $(c)", '--setenv', '--symlink', '', ' '];
    expect(passed(call([...odd, ...START]))).toEqual([...odd, ...HARDENING, ...START]);
  });

  it('has the descriptors that bubblewrap is told of, and no other', () => {
    const { stdout } = call(START);
    expect(descriptors(stdout)).toEqual(['0', '1', '2', '5', '6', '7', '8']);
  });

  it('may ask for the version, for which nothing is started', () => {
    expect(call(['--version']).stdout).toBe(`${VERSION}\n`);
  });

  it('makes no network namespace where the executor is in the one of its seat', () => {
    expect(passed(call([...NAMESPACES, ...START], [], 8, 'seated'))).toEqual([
      ...NAMESPACES.filter((option) => option !== '--unshare-net'),
      ...HARDENING,
      ...START,
    ]);
  });
});

describe('a call that is not known is refused', () => {
  it.each([
    ['an option', ['--dev-bind', '/', '/', ...START]],
    ['an option of another use', ['--share-net', ...START]],
    ['an option that stands for several', ['--args', '8', ...START]],
    ['a lone word', ['sh', ...START]],
    ['a version with something else', ['--version', '--help']],
    ['nothing', []],
    ['a start line', ['--', 'sh', '-c', 'sh -i']],
    ['another shell', ['--', 'bash', '-c', '. /proc/self/fd/8']],
    ['more after the start line', [...START, 'sh']],
    ['a start line without its shell', ['--', '. /proc/self/fd/8']],
    ['no separator', ['--unshare-user', 'sh', '-c', '. /proc/self/fd/8']],
    ['an option without its second value', ['--bind', '/work']],
    ['an option whose value would be the separator', ['--tmpfs', ...START]],
    ['a variable that is not PATH', ['--setenv', 'LD_PRELOAD', '/srv/evil.so', ...START]],
    ['a variable whose value looks like the separator', ['--setenv', 'EVIL', '--', 'sh', '-c', 'evil', ...START]],
    ['devices elsewhere', ['--dev', '/work', ...START]],
    ['processes elsewhere', ['--proc', '/work', ...START]],
  ])('%s', (_name, args) => {
    const result = call(args);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/^cordon-bwrap: unknown /);
    expect(result.status).toBe(126);
  });

  it.each([9, 11, 77, 251].map((fd) => [fd]))('with descriptor %i open', (fd) => {
    const result = call(START, [fd]);
    // 9 is closed by the wrapper itself; what it does not know, it does not guess.
    if (fd === 9) expect(result.stdout).not.toMatch(/fds .*\b9\b/);
    else {
      expect(result.stdout).toBe('');
      expect(result.stderr).toBe(`cordon-bwrap: unknown descriptor ${fd}\n`);
    }
  });
});
