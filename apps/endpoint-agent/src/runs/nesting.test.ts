import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { DENY_ALL } from '../egress/egress.ts';
import { effectiveOf as effectiveOfText } from '../../tests/_policy.ts';
import { createNesting, depthOf, MAX_BELOW, MAX_DEPTH, requireSeen, requireWithin } from './nesting.ts';
import type { LiveRun } from './run-table.ts';

type Mounts = LaunchPlan['request']['filesystem'];
const NONE: Mounts = { readonlyPaths: [], readwritePaths: [], deniedPaths: [] };

/** A run that lives, as far as nesting looks at one. Its sandbox is this process's own view. */
const live = (parent: LiveRun | undefined, filesystem: Partial<Mounts> = {}): LiveRun =>
  ({
    run: { attestation: { pid: process.pid, startTime: '1', uid: 1, mounts: 1 } } as Partial<LiveRun['run']> as LiveRun['run'],
    subject: { agent: { id: 'unknown', proof: 'claimed' }, user: 'dev', os: 'linux' },
    account: { name: 'dev', uid: 1, gid: 1, home: '/home/dev' },
    cwd: '/',
    parent,
    effective: effectiveOfText('allow: {}'),
    filesystem: { ...NONE, ...filesystem },
    network: DENY_ALL,
    startedAt: 0,
  }) satisfies LiveRun;
const planOf = (filesystem: Partial<Mounts>): LaunchPlan =>
  ({
    request: { filesystem: { ...NONE, ...filesystem } } as Partial<LaunchPlan['request']> as LaunchPlan['request'],
  }) as Partial<LaunchPlan> as LaunchPlan;
const code = (act: () => unknown): string => {
  try {
    act();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a place for a run inside a run', () => {
  it('is there down to a depth', () => {
    const line: LiveRun[] = [];
    for (let i = 0; i < MAX_DEPTH; i += 1) line.push(live(line.at(-1)));
    const nesting = createNesting({ all: () => line }, () => 0);
    expect(line.map(depthOf)).toEqual(line.map((_, i) => i + 1));
    expect(line.map((run) => code(() => nesting.enter(run)))).toEqual([...line.slice(1).map(() => 'done'), 'run.too-deep']);
  });

  it('is there for so many below one run, at whatever depth, and free again when one has ended', () => {
    const top = live(undefined);
    const child = live(top);
    const other = live(undefined);
    const nesting = createNesting({ all: () => [top, child, other] }, () => 0);
    const leave = Array.from({ length: MAX_BELOW }, (_, i) => nesting.enter(i % 2 === 0 ? top : child));
    expect(code(() => nesting.enter(child))).toBe('run.too-many');
    expect(code(() => nesting.enter(other))).toBe('done');
    leave[0]?.();
    expect(code(() => nesting.enter(child))).toBe('done');
    expect(code(() => nesting.enter(top))).toBe('run.too-many');
  });

  it('is not there in a run that has ended', () => {
    expect(code(() => createNesting({ all: () => [] }, () => 0).enter(live(undefined)))).toBe('run.parent-ended');
  });
});

describe('what a run inside a run may have', () => {
  it('is what its parent was given', () => {
    const parent = live(undefined, { readonlyPaths: ['/usr'], readwritePaths: ['/etc'], deniedPaths: ['/usr/lib'] });
    for (const [filesystem, told] of [
      [{ readonlyPaths: ['/usr'], deniedPaths: ['/usr/lib'] }, 'done'],
      [{ readonlyPaths: ['/etc'] }, 'done'],
      [{ readonlyPaths: ['/usr/bin'] }, 'done'],
      [{ readwritePaths: ['/usr/bin'] }, 'launch.enclosure'],
      [{ readonlyPaths: ['/usr'] }, 'launch.enclosure'],
      [{ readonlyPaths: ['/usr/lib'] }, 'launch.enclosure'],
      [{ readonlyPaths: ['/var'] }, 'launch.enclosure'],
    ] as const)
      expect([filesystem, code(() => requireWithin(planOf(filesystem), parent))]).toEqual([filesystem, told]);
  });

  it('is what its parent sees at the same place', () => {
    const parent = live(undefined);
    expect(code(() => requireSeen(parent, '/usr'))).toBe('done');
    const gone: LiveRun = { ...parent, run: { ...parent.run, attestation: { ...parent.run.attestation, pid: 99_999_999 } } };
    expect(code(() => requireSeen(gone, '/usr'))).toBe('launch.enclosure');
    expect(fs.existsSync(path.join('/proc', '99999999'))).toBe(false);
  });
});
