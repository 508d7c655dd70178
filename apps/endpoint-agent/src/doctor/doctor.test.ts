import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Check } from './check.ts';
import { distributionOf } from './distribution.ts';
import { kernelChecks, settingOf } from './kernel.ts';
import { placeChecks } from './places.ts';
import { programChecks, type ProgramsOptions } from './programs.ts';
import { daemonChecks, enrollmentCheck } from './running.ts';
import type { Status } from '../local-api/protocol.ts';

let folder: string;
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-doctor-test-')));
  fs.chmodSync(folder, 0o700);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const IS_ROOT = process.getuid?.() === 0;
const named = (checks: readonly Check[], name: string): Check | undefined => checks.find((check) => check.name === name);
const DEBIAN = distributionOf('PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n');

describe('how packages are installed', () => {
  it.each([
    ['ID=ubuntu\nID_LIKE=debian', 'apt-get install bubblewrap'],
    ['ID="rhel"', 'dnf install bubblewrap'],
    ['ID=rocky\nID_LIKE="rhel centos fedora"', 'dnf install bubblewrap'],
    ['ID="opensuse-leap"\nID_LIKE="suse opensuse"', 'zypper install bubblewrap'],
    ['ID=arch', 'pacman -S bubblewrap'],
    ['ID=alpine', 'apk add bubblewrap'],
    ['ID=plan9', 'install the package bubblewrap'],
    ['', 'install the package bubblewrap'],
  ])('%j: %s', (release, command) => {
    expect(distributionOf(release).install('bubblewrap')).toBe(command);
  });
});

describe('the programs', () => {
  const options = (change: Partial<ProgramsOptions> = {}): ProgramsOptions => ({
    distribution: DEBIAN,
    folders: [folder],
    nodeVersion: '24.0.0',
    executor: () => path.join(folder, 'lxc-exec'),
    arch: 'x64',
    ...change,
  });
  const program = (name: string, text: string, mode = 0o755): void => {
    fs.writeFileSync(path.join(folder, name), text);
    fs.chmodSync(path.join(folder, name), mode);
  };

  it('that are missing are named, each with the package that brings it', () => {
    const checks = programChecks(options());
    expect(named(checks, 'bwrap')).toMatchObject({ state: 'failed', mend: 'apt-get install bubblewrap' });
    expect(named(checks, 'setsid')).toMatchObject({ state: 'failed', mend: 'apt-get install util-linux' });
    expect(named(checks, 'mxc')).toMatchObject({ state: 'failed', detail: expect.stringContaining('lxc-exec') as unknown });
    expect(named(checks, 'node')).toMatchObject({ state: 'ok' });
  });

  it.runIf(IS_ROOT)('that others could change, or that are too old, are told from those that are well', () => {
    program('bwrap', '#!/bin/sh\necho bubblewrap 0.4.1\n');
    program('socat', '#!/bin/sh\n', 0o777);
    program('stty', '#!/bin/sh\n');
    fs.chownSync(path.join(folder, 'stty'), 1234, 1234);
    program('env', '#!/bin/sh\n');
    const checks = programChecks(options());
    expect(named(checks, 'bwrap')).toMatchObject({ state: 'failed', detail: 'bubblewrap 0.4.1 is too old: 0.8 is needed' });
    expect(named(checks, 'socat')).toMatchObject({ state: 'failed', mend: expect.stringContaining('chmod go-w') as unknown });
    expect(named(checks, 'stty')).toMatchObject({ state: 'failed', detail: expect.stringContaining('account 1234') as unknown });
    expect(named(checks, 'env')).toMatchObject({ state: 'ok' });
    program('bwrap', '#!/bin/sh\necho bubblewrap 1.0.0\n');
    expect(named(programChecks(options()), 'bwrap')).toMatchObject({ state: 'ok' });
  });

  it('an executor of another machine is none, and an old Node is too old', () => {
    fs.writeFileSync(
      path.join(folder, 'lxc-exec'),
      Buffer.concat([Buffer.from('\u007fELF', 'latin1'), Buffer.alloc(14), Buffer.of(183, 0)]),
    );
    expect(named(programChecks(options()), 'mxc')).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('no program for x64') as unknown,
    });
    expect(named(programChecks(options({ arch: 'arm64' })), 'mxc')).toMatchObject({ state: 'ok' });
    expect(named(programChecks(options({ nodeVersion: '22.1.0' })), 'node')).toMatchObject({ state: 'failed' });
  });
});

describe('the kernel', () => {
  const limiter = { means: { memory: 'cgroup', cpu: 'cgroup', processes: 'cgroup' }, without: undefined } as const;
  const look = (bubblewrap: string, settings: Readonly<Record<string, string>> = {}): readonly Check[] =>
    kernelChecks({ bubblewrap, account: undefined, limiter, setting: (name) => settings[name] ?? settingOf(name) });

  it('that makes no namespaces is told with the setting that keeps it from that', () => {
    const mend = (settings: Readonly<Record<string, string>>): string => named(look('/bin/false', settings), 'user namespaces')?.mend ?? '';
    expect(mend({ 'user/max_user_namespaces': '0' })).toBe('sysctl -w user.max_user_namespaces=15000');
    expect(mend({ 'kernel/unprivileged_userns_clone': '0' })).toBe('sysctl -w kernel.unprivileged_userns_clone=1');
    const other = { 'user/max_user_namespaces': '9', 'kernel/unprivileged_userns_clone': '1' };
    expect(mend({ ...other, 'kernel/apparmor_restrict_unprivileged_userns': '1' })).toContain('/etc/apparmor.d');
    expect(mend({ ...other, 'kernel/apparmor_restrict_unprivileged_userns': '0' })).toContain('look at what the system logged');
    expect(named(look('/usr/bin/bwrap'), 'user namespaces')).toMatchObject({ state: 'ok' });
  });

  it('with few watches, or without control groups, is a warning', () => {
    expect(named(look('/bin/true', { 'fs/inotify/max_user_watches': '100' }), 'inotify')).toMatchObject({ state: 'warning' });
    const without = { means: { memory: 'rlimit', cpu: 'none', processes: 'rlimit' }, without: 'not mounted' } as const;
    const checks = kernelChecks({ bubblewrap: '/bin/true', account: undefined, limiter: without, setting: () => '100000' });
    expect(named(checks, 'limits of runs')).toMatchObject({ state: 'warning', detail: expect.stringContaining('not mounted') as unknown });
    expect(named(look('/bin/true'), 'limits of runs')).toMatchObject({ state: 'ok' });
  });
});

describe('the folders', () => {
  const look = (room: { readonly bavail: number; readonly ffree?: number } = { bavail: 1e6 }): readonly Check[] =>
    placeChecks({
      stateDir: path.join(folder, 'state'),
      runtimeDir: path.join(folder, 'run'),
      statfs: () => ({ bsize: 4096, files: 1e6, ffree: 1e5, ...room }),
    });

  it('need not be there yet', () => {
    expect(look().map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('with helpers that are not whole, or that others could change, are told', () => {
    const helpers = path.join(folder, 'run/helpers');
    fs.mkdirSync(helpers, { recursive: true });
    for (const name of ['bwrap', 'lxc-exec', 'filter']) fs.writeFileSync(path.join(helpers, name), '', { mode: 0o644 });
    expect(named(look(), 'helpers')).toMatchObject({ state: 'ok' });
    fs.chmodSync(path.join(helpers, 'bwrap'), 0o777);
    expect(named(look(), 'helpers')).toMatchObject({ state: 'failed', detail: `${helpers}/bwrap can be written to by others` });
    fs.rmSync(path.join(helpers, 'bwrap'));
    expect(named(look(), 'helpers')).toMatchObject({ state: 'failed', detail: `${helpers}/bwrap is not there` });
  });

  it('that others could read or write are told', () => {
    fs.mkdirSync(path.join(folder, 'state'), { mode: 0o700 });
    expect(named(look(), 'state folder')).toMatchObject({ state: 'ok' });
    fs.chmodSync(path.join(folder, 'state'), 0o755);
    expect(named(look(), 'state folder')).toMatchObject({ state: 'failed', mend: expect.stringContaining('chmod') as unknown });
    fs.mkdirSync(path.join(folder, 'run'), { mode: 0o755 });
    fs.chmodSync(path.join(folder, 'run'), 0o777);
    expect(named(look(), 'runtime folder')).toMatchObject({ state: 'failed' });
  });

  it('with little room are a warning, and with none a failure', () => {
    expect(named(look({ bavail: 10_000 }), 'disk')).toMatchObject({ state: 'warning' });
    expect(named(look({ bavail: 10 }), 'disk')).toMatchObject({ state: 'failed' });
    expect(named(look({ bavail: 1e6, ffree: 3 }), 'disk')).toMatchObject({ state: 'warning' });
  });
});

describe('the daemon', () => {
  const status = {
    device: 'dev_1',
    organisation: 'org_1',
    server: 'https://cordon.example',
    connected: true,
    enforcing: { digest: 'a', epoch: 0, serial: 7, freshness: 'current', policies: ['coding revision 1'] },
    selfTest: { passed: true, at: '2026-03-01T12:00:00.000Z', failed: [] },
    spool: { waiting: 0, dropped: 0 },
    blocked: null,
    runs: 0,
  } as const;
  const look = (change: object = {}): string[] =>
    daemonChecks({ ...(status as Partial<Status> as Status), ...change }, '/run/x').map(({ name, state }) => `${name} ${state}`);

  it('that is down is a failure, and what else it would know is not asked', () => {
    expect(daemonChecks(undefined, '/run/x')).toMatchObject([
      { name: 'daemon', state: 'failed', detail: expect.stringContaining('/run/x') as unknown },
    ]);
    expect(enrollmentCheck(undefined, true, undefined)).toMatchObject({
      state: 'failed',
      mend: expect.stringContaining('cordon enroll') as unknown,
    });
    expect(enrollmentCheck(undefined, false, undefined)).toMatchObject({ state: 'unknown' });
  });

  it('that enforces and is connected is well, and each part that is not is told', () => {
    expect(look()).toEqual(['daemon ok', 'session ok', 'policy ok', 'self-test ok', 'events ok']);
    expect(look({ connected: false })).toContain('session warning');
    expect(look({ enforcing: null })).toContain('policy failed');
    expect(look({ enforcing: { ...status.enforcing, freshness: 'stale' } })).toContain('policy warning');
    expect(look({ enforcing: { ...status.enforcing, freshness: 'expired' } })).toContain('policy failed');
    expect(look({ enforcing: { ...status.enforcing, policies: [] } })).toContain('policy warning');
    expect(look({ selfTest: { passed: false, at: 'then', failed: ['launch: no'] } })).toContain('self-test failed');
    expect(look({ selfTest: null })).toContain('self-test warning');
    expect(look({ spool: { waiting: 1, dropped: 2 } })).toContain('events warning');
  });
});
