import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findExecutor, installHelpers } from './helpers.ts';
import { seccompFilter } from './seccomp.ts';

const PROGRAMS = ['bwrap', 'socat', 'nsenter', 'setpriv', 'mkfifo', 'stty', 'env'] as const;

let folder: string;
/** Stands for /usr/bin: links to the system's own programs. */
let system: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-helpers-'));
  system = path.join(folder, 'system');
  fs.mkdirSync(system);
  for (const name of PROGRAMS) {
    const place = ['/usr/bin', '/bin', '/usr/sbin'].map((at) => path.join(at, name)).find((file) => fs.existsSync(file));
    fs.symlinkSync(place ?? '/nonexistent', path.join(system, name));
  }
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const install = (): ReturnType<typeof installHelpers> => installHelpers(path.join(folder, 'helpers'), findExecutor(), [system]);
const thrown = (): { code: string; message: string } => {
  try {
    install();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('it was installed');
};

describe('installHelpers', () => {
  it('installs wrapper, filter and executor where everyone can execute them and nobody else can change them', () => {
    const helpers = install();
    const modes = Object.fromEntries(
      fs.readdirSync(helpers.folder).map((name) => [name, fs.statSync(path.join(helpers.folder, name)).mode & 0o777]),
    );
    expect(modes).toEqual({ bwrap: 0o755, etc: 0o755, filter: 0o644, 'lxc-exec': 0o755 });
    expect(fs.statSync(helpers.folder).mode & 0o777).toBe(0o755);
    expect(fs.readFileSync(helpers.filter)).toEqual(seccompFilter(process.arch === 'arm64' ? 'arm64' : 'x64'));
    expect(spawnSync(path.join(helpers.folder, 'bwrap'), ['--help'], { encoding: 'utf8', env: {} }).stderr).toMatch(
      /^cordon-bwrap: unknown/,
    );
    expect(helpers.path.split(':')[0]).toBe(helpers.folder);
  });

  it('installs again over what is there, also over what was tampered with', () => {
    const helpers = install();
    fs.writeFileSync(path.join(helpers.folder, 'bwrap'), '#!/bin/sh\nexec sh\n');
    fs.truncateSync(helpers.filter);
    fs.truncateSync(helpers.executor);
    fs.chmodSync(helpers.folder, 0o777);
    install();
    expect(fs.readFileSync(path.join(helpers.folder, 'bwrap'), 'utf8')).toContain('--block-fd 7');
    expect(fs.statSync(helpers.filter).size).toBeGreaterThan(0);
    expect(fs.statSync(helpers.executor).size).toBe(fs.statSync(findExecutor()).size);
    expect(fs.statSync(helpers.folder).mode & 0o777).toBe(0o755);
  });

  it.each([
    ['bwrap', 'launch.bubblewrap-missing', 'bubblewrap'],
    ['socat', 'launch.socat-missing', 'socat'],
    ['nsenter', 'launch.nsenter-missing', 'util-linux'],
    ['setpriv', 'launch.setpriv-missing', 'util-linux'],
    ['mkfifo', 'launch.coreutils-missing', 'coreutils'],
    ['stty', 'launch.coreutils-missing', 'coreutils'],
    ['env', 'launch.coreutils-missing', 'coreutils'],
  ])('without %s it says %s and names the package', (name, code, packageName) => {
    fs.rmSync(path.join(system, name));
    expect(thrown()).toMatchObject({ code, message: expect.stringContaining(packageName) as unknown });
  });

  it('refuses a program that others could change', () => {
    fs.rmSync(path.join(system, 'bwrap'));
    fs.copyFileSync('/bin/true', path.join(system, 'bwrap'));
    fs.chmodSync(path.join(system, 'bwrap'), 0o777);
    expect(thrown().code).toBe('launch.helper-unsafe');
  });

  it('refuses a program in a folder in which others could replace it', () => {
    fs.chmodSync(system, 0o777);
    expect(thrown().code).toBe('launch.helper-unsafe');
  });

  it.each(['executor', 'filter', 'wrapper'] as const)('sees before each use that the %s is not the one that was installed', (which) => {
    const helpers = install();
    helpers.check();
    const file = which === 'wrapper' ? path.join(helpers.folder, 'bwrap') : helpers[which];
    const content = fs.readFileSync(file);
    const { mode, atime, mtime } = fs.statSync(file);
    fs.writeFileSync(`${file}.other`, content, { mode });
    fs.utimesSync(`${file}.other`, atime, mtime);
    fs.renameSync(`${file}.other`, file);
    expect(() => helpers.check()).toThrow(/is not what this daemon installed/);
  });

  it('sees before each use that a program of the system is gone', () => {
    const helpers = install();
    fs.rmSync(path.join(system, 'socat'));
    expect(() => helpers.check()).toThrow(/socat is gone: install its package again/);
  });

  it('says where an executor is missing', () => {
    expect(() => installHelpers(path.join(folder, 'helpers'), path.join(folder, 'gone'), [system])).toThrow(/is not at .*gone/);
  });
});
