/** What an installation writes on each system, and every command that it would run there: most of these systems are not this one. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { layoutFor, type System } from './layout.ts';
import { stepsFor } from './service.ts';
import { commandText, TEMPLATES, unitText } from './unit.ts';
import { linked, openFolder, point, prune, replaceFile } from './versions.ts';

const SERVICE = path.join(import.meta.dirname, '../../../../infra/service');
const template = (system: System): string => fs.readFileSync(path.join(SERVICE, TEMPLATES[system]), 'utf8');
const unit = (system: System, prefix?: string): string => unitText(template(system), system, layoutFor(system, prefix));
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'done';
  } catch (error) {
    return error instanceof CordonError ? error.code : String(error);
  }
};
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-install-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('the description of the service', () => {
  it.each(['linux', 'darwin', 'win32'] as const)('for %s names the version in use, and leaves no place open', (system) => {
    const text = unit(system);
    expect(text).not.toMatch(/@[A-Z]+@/);
    expect(text).toContain(
      path.posix.join(layoutFor(system).home.replaceAll('\\', '/'), 'current').replaceAll('/', system === 'win32' ? '\\' : '/'),
    );
    expect(text).toContain('env-file-if-exists=');
  });

  const lines = unit('linux').split('\n');
  const valueOf = (name: string): string | undefined => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);

  it('for systemd sets nothing that runs would inherit and break by', () => {
    const breaking = [
      'PrivateUsers',
      'PrivateTmp',
      'PrivateDevices',
      'PrivateMounts',
      'ProtectHome',
      'ProtectSystem',
      'ProtectProc',
      'ProtectKernelTunables',
      'ProtectControlGroups',
      'ProtectHostname',
      'RestrictNamespaces',
      'NoNewPrivileges',
      'MemoryDenyWriteExecute',
      'RootDirectory',
      'DynamicUser',
      'User',
    ];
    for (const name of breaking) expect([name, valueOf(name)]).toEqual([name, undefined]);
    expect(valueOf('Delegate')).toBe('yes');
    expect(valueOf('Restart')).toBe('always');
    expect(valueOf('StateDirectoryMode')).toBe('0700');
    // Launches need: another account, namespaces, control groups, the state of other accounts' processes.
    for (const name of ['CAP_SETUID', 'CAP_SETGID', 'CAP_SYS_ADMIN', 'CAP_SYS_PTRACE', 'CAP_KILL', 'CAP_CHOWN', 'CAP_NET_ADMIN'])
      expect(valueOf('CapabilityBoundingSet')?.split(' ')).toContain(name);
    for (const name of ['CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_BOOT', 'CAP_SYS_TIME', 'CAP_MKNOD', 'CAP_BPF'])
      expect(valueOf('CapabilityBoundingSet')).not.toContain(name);
    // What contains a run is made of these calls.
    expect(valueOf('SystemCallFilter')).not.toMatch(/@mount|@sandbox|@process|@privileged|@namespace|@setuid/);
  });

  it.skipIf(!has('systemd-analyze'))('for systemd is accepted by systemd itself', () => {
    const file = path.join(folder, 'cordon.service');
    // What it names must be there, or systemd says so.
    const places = layoutFor('linux', folder);
    fs.mkdirSync(path.join(places.home, 'current/bin'), { recursive: true });
    fs.symlinkSync('/bin/true', path.join(places.home, 'current/bin/node'));
    fs.writeFileSync(file, unit('linux', folder));
    const { stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  it.each(['darwin', 'win32'] as const)('for %s is well-formed', (system) => {
    const { status, stderr } = spawnSync('python3', ['-c', 'import sys, xml.dom.minidom as m; m.parseString(sys.stdin.buffer.read())'], {
      input: unit(system),
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('cannot be given places that a manager reads as something else', () => {
    for (const prefix of ['/srv/a b', '/srv/%h', '/srv/$HOME', '/srv/"x"', '/srv/x\nExecStart=/bin/sh', '/srv/é'])
      expect([prefix, codeOf(() => unit('linux', prefix))]).toEqual([prefix, 'install.place']);
    expect(codeOf(() => unit('linux', '/srv/a-b_1.2'))).toBe('done');
    expect(codeOf(() => unitText('@WHATEVER@', 'linux', layoutFor('linux')))).toBe('install.template');
  });
});

describe('the service manager', () => {
  it.each(['linux', 'darwin', 'win32'] as const)('of %s is told by its own program at its own place, with no shell between', (system) => {
    const steps = Object.values(stepsFor(system, layoutFor(system))).flat();
    expect(new Set(steps.map(([program]) => program))).toEqual(
      new Set([{ linux: '/usr/bin/systemctl', darwin: '/bin/launchctl', win32: 'C:\\Windows\\System32\\schtasks.exe' }[system]]),
    );
    expect(steps).toMatchSnapshot();
  });
});

describe('the command', () => {
  it('leads to this machine’s daemon, whoever calls it, and to no other program', () => {
    const text = commandText('linux', layoutFor('linux'));
    expect(text).toContain('CORDON_AGENT_RUNTIME:-/run/cordon}');
    expect(text).toContain('exec "/opt/cordon/current/bin/node"');
    // What an ordinary account starts has nothing of the daemon's settings.
    expect(text.split('\nfi\n')[1]).not.toContain('env-file');
    const file = path.join(folder, 'command');
    fs.writeFileSync(file, text);
    expect(spawnSync('sh', ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    expect(commandText('win32', layoutFor('win32'))).toContain('"C:\\Program Files\\Cordon\\current\\bin\\node.exe"');
  });
});

describe('versions', () => {
  it('are changed by one rename, and those that no link leads to go', () => {
    const at = (...names: string[]): string => path.join(folder, ...names);
    for (const name of ['a', 'b', 'c', 'b.partial']) openFolder(at('versions', name));
    expect(linked(at('current'))).toBeUndefined();
    point(at('current'), at('versions/a'));
    point(at('current'), at('versions/b'));
    point(at('previous'), at('versions/a'));
    expect([linked(at('current')), linked(at('previous'))]).toEqual([at('versions/b'), at('versions/a')]);
    prune(folder, [at('versions/b'), at('versions/a')]);
    expect(fs.readdirSync(at('versions')).sort()).toEqual(['a', 'b']);
    fs.writeFileSync(at('other'), '');
    expect(codeOf(() => linked(at('other')))).toBe('install.link');
  });

  it('and what lies beside them can be read by everybody and changed by nobody else, whatever the mask', () => {
    const before = process.umask(0o077);
    try {
      replaceFile(path.join(folder, 'x/y/file'), 'text', 0o644);
      replaceFile(path.join(folder, 'x/y/file'), 'other', 0o644);
    } finally {
      process.umask(before);
    }
    const modes = ['x', 'x/y', 'x/y/file'].map((name) => (fs.statSync(path.join(folder, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['755', '755', '644']);
    expect(fs.readFileSync(path.join(folder, 'x/y/file'), 'utf8')).toBe('other');
    expect(fs.readdirSync(path.join(folder, 'x/y'))).toEqual(['file']);
  });
});
