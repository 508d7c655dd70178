import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openGroups, ownGroup, settingsOf, type Controller } from './cgroup.ts';

const NONE = { timeoutMs: undefined, memoryBytes: undefined, cpus: undefined, processes: undefined };
const ALL: ReadonlySet<Controller> = new Set(['memory', 'cpu', 'pids']);
const LIMITS = { ...NONE, memoryBytes: 4 * 1024 ** 3, cpus: 1.5, processes: 512 };

describe('where the own group is', () => {
  const V2 = '29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw';
  it.each([
    ['a service', V2, '0::/system.slice/cordon.service\n', '/sys/fs/cgroup/system.slice/cordon.service'],
    ['the top', V2, '0::/\n', '/sys/fs/cgroup'],
    [
      'version 1 beside it',
      `30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n${V2.replace('/sys/fs/cgroup', '/unified')}`,
      '4:memory:/x\n0::/a\n',
      '/unified/a',
    ],
    ['a mount of a part', V2.replace(' / ', ' /docker/abc '), '0::/docker/abc/inner\n', '/sys/fs/cgroup/inner'],
    ['a mount of another part', V2.replace(' / ', ' /docker/abc '), '0::/docker/abcd\n', undefined],
    ['outside of a namespace', V2, '0::/../other\n', undefined],
    ['version 1 alone', '30 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory', '4:memory:/x\n', undefined],
  ])('%s', (_name, mountinfo, own, folder) => {
    expect(ownGroup(mountinfo, own)).toBe(folder);
  });
});

describe('what is written', () => {
  it('memory without swap, a share of each period, and one process for the init', () => {
    expect(settingsOf(LIMITS, ALL)).toEqual([
      ['memory.max', '4294967296'],
      ['memory.swap.max', '0'],
      ['cpu.max', '150000 100000'],
      ['pids.max', '513'],
    ]);
    expect(settingsOf({ ...NONE, cpus: 0.001 }, ALL)).toEqual([['cpu.max', '1000 100000']]);
  });

  it('nothing that no policy limits, and nothing without its controller', () => {
    expect(settingsOf(NONE, ALL)).toEqual([]);
    expect(settingsOf(LIMITS, new Set(['pids']))).toEqual([['pids.max', '513']]);
  });
});

/** A folder with the files that are read, in the place of what the kernel makes. */
describe('groups, in a folder that stands for the kernel', () => {
  let base: string;
  beforeEach(() => {
    base = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-groups-'));
    fs.writeFileSync(path.join(base, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    fs.writeFileSync(path.join(base, 'cgroup.subtree_control'), 'memory\n');
  });
  afterEach(() => fs.rmSync(base, { recursive: true, force: true }));
  const text = (...at: string[]): string => fs.readFileSync(path.join(base, ...at), 'utf8');

  it('a run has its limits where its processes are not, and its child is a part of it', () => {
    const groups = openGroups(base, 77);
    expect([...groups.controllers]).toEqual(['memory', 'cpu', 'pids']);
    const parent = groups.make('run_parent', LIMITS);
    const child = groups.make('run_child', { ...NONE, processes: 3 }, parent);
    parent.admit(11);
    child.admit(12);
    const at = ['cordon-runs-77', 'run_parent'];
    expect([text(...at, 'memory.max'), text(...at, 'cpu.max'), text(...at, 'pids.max')]).toEqual(['4294967296', '150000 100000', '513']);
    expect(text(...at, 'own', 'cgroup.procs')).toBe('11');
    expect(fs.existsSync(path.join(base, ...at, 'cgroup.procs'))).toBe(false);
    expect(text(...at, 'run_child', 'pids.max')).toBe('4');
    expect(text(...at, 'run_child', 'own', 'cgroup.procs')).toBe('12');
    expect(fs.existsSync(path.join(base, ...at, 'run_child', 'memory.max'))).toBe(false);
  });

  it('limits may change while it lives, and go', () => {
    const groups = openGroups(base, 77);
    const group = groups.make('run_one', LIMITS);
    const at = (file: string): string => text('cordon-runs-77', 'run_one', file);
    group.set({ ...NONE, processes: 7 });
    expect([at('memory.max'), at('cpu.max'), at('pids.max')]).toEqual(['max', 'max 100000', '8']);
    group.set(LIMITS);
    expect([at('memory.max'), at('cpu.max'), at('pids.max')]).toEqual(['4294967296', '150000 100000', '513']);
  });

  it('what cannot be written is told', () => {
    const groups = openGroups(base, 77);
    groups.make('run_one', LIMITS);
    expect(() => groups.make('run_one', LIMITS)).toThrow(/EEXIST/);
    expect(() => openGroups(path.join(base, 'none'), 1)).toThrow(/ENOENT/);
  });
});

const real = ownGroup(fs.readFileSync('/proc/self/mountinfo', 'utf8'), fs.readFileSync('/proc/self/cgroup', 'utf8'));
const isOurs = (() => {
  try {
    fs.accessSync(path.join(real ?? '/nonexistent', 'cgroup.procs'), fs.constants.W_OK);
    return true;
  } catch {
    return false; // no version 2 here, or not for this account
  }
})();

describe.skipIf(!isOurs)("the kernel's own groups", () => {
  it('take a process with all that it starts, nest, and are gone with the last one; what a killed daemon left goes at the next start', async () => {
    const groups = openGroups(real ?? '', process.pid);
    const parent = groups.make('run_parent', NONE);
    const child = groups.make('run_child', NONE, parent);
    const started = spawn('sh', ['-c', 'read -r _; cat /proc/self/cgroup; cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.admit(started.pid ?? 0);
    started.stdin.write('\n');
    const [said] = (await once(started.stdout, 'data')) as [Buffer];
    expect(said.toString()).toMatch(/^0::.*\/run_parent\/run_child\/own$/m);
    child.remove();
    expect(fs.existsSync(child.folder)).toBe(true);
    started.kill('SIGKILL');
    await expect.poll(() => fs.existsSync(child.folder)).toBe(false);
    parent.remove();
    groups.close();
    const left = path.join(real ?? '', 'cordon-runs-99999999', 'run_left', 'own');
    fs.mkdirSync(left, { recursive: true });
    openGroups(real ?? '', process.pid).close();
    expect(fs.existsSync(path.dirname(path.dirname(left)))).toBe(false);
    expect(fs.existsSync(path.join(real ?? '', `cordon-runs-${process.pid}`))).toBe(false);
  });
});
