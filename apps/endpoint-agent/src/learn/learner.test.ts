import { describe, expect, it } from 'vitest';
import { effectiveOf } from '../../tests/_policy.ts';
import type { LiveRun } from '../runs/run-table.ts';
import type { Countable } from '../telemetry/counted.ts';
import { createLearner } from './learner.ts';
import { parted } from './learned.ts';
import { sortHeard } from './sort.ts';

const live = (spec: string): LiveRun =>
  ({
    run: { run: 'run_1' } as Partial<LiveRun['run']> as LiveRun['run'],
    subject: { agent: { id: 'codex', proof: 'claimed' }, user: 'dev', os: 'linux' },
    account: { name: 'dev', uid: 1000, gid: 1000, home: '/home/dev' },
    cwd: '/home/dev/project',
    effective: effectiveOf(spec),
    filesystem: { readonlyPaths: [], readwritePaths: [], deniedPaths: [] },
    startedAt: 0,
  }) as Partial<LiveRun> as LiveRun;
const scene = (spec: string) => {
  const told: string[] = [];
  const judged: string[] = [];
  const learner = createLearner({
    counted: {
      add: (event) => {
        const { kind, path, access, code } = event as Extract<Countable, { kind: 'file' }>;
        told.push(`${kind} ${access} ${path} ${code}`);
      },
    },
    judged: (_live, access, path, verdict) => judged.push(`${access} ${path} ${verdict}`),
  });
  return { ...learner, told, judged, live: live(spec) };
};
const SPEC = 'allow: { filesystem: { read: [/opt/data], write: ["${workspace}"] } }';

describe('what is learned of a run', () => {
  it('is each access once with its number, also from before it was there', () => {
    const { access, begin, files, live: run } = scene(SPEC);
    access({ access: 'read', path: '/opt/data/a', code: null });
    begin(run);
    access({ access: 'read', path: '/opt/data/a', code: null });
    access({ access: 'read', path: '/opt/data/a', code: 'EACCES' });
    expect(files()).toEqual([
      { access: 'read', path: '/opt/data/a', code: null, count: 2 },
      { access: 'read', path: '/opt/data/a', code: 'EACCES', count: 1 },
    ]);
  });

  it('leaves out what is the sandbox’s own, and counts what no rule could say', () => {
    const { access, files, overflow } = scene(SPEC);
    for (const path of ['/proc/self/maps', '/dev/null', '/tmp/x', '/tmp']) access({ access: 'read', path, code: null });
    access({ access: 'read', path: '/home/dev/a\nb', code: 'ENOENT' });
    access({ access: 'read', path: `/${'x'.repeat(5000)}`, code: 'ENOENT' });
    expect([files(), overflow()]).toEqual([[], 2]);
  });

  it('is a denial where the policy says so and the program was refused; what is only missing is none', () => {
    const { access, begin, told, judged, live: run } = scene(`${SPEC}\ndeny: { filesystem: { access: [/srv/secret] } }`);
    begin(run);
    access({ access: 'write', path: '/opt/data/a', code: 'EROFS' });
    access({ access: 'read', path: '/srv/secret/key', code: 'ENOENT' });
    access({ access: 'read', path: '/home/dev/.ssh/id', code: 'ENOENT' });
    access({ access: 'read', path: '/nowhere', code: 'ENOENT' });
    access({ access: 'read', path: '/opt/data/b', code: 'ENOENT' });
    access({ access: 'read', path: '/home/dev/project/x', code: null });
    expect(told).toEqual(['file write /opt/data/a EROFS', 'file read /srv/secret/key ENOENT', 'file read /home/dev/.ssh/id ENOENT']);
    expect(judged).toEqual([
      'write /opt/data/a denied',
      'read /srv/secret/key denied',
      'read /home/dev/.ssh/id denied',
      'read /home/dev/project/x allowed',
    ]);
  });

  it('says as much of a path as the policy’s privacy lets it', () => {
    const { access, begin, told, live: run } = scene(`${SPEC}\nprivacy: { paths: folder }`);
    begin(run);
    access({ access: 'write', path: '/opt/data/patient', code: 'EROFS' });
    expect(told).toEqual(['file write /opt/data EROFS']);
  });

  it('has a bound, whatever a program tries', () => {
    const { access, begin, files, overflow, live: run } = scene(SPEC);
    begin(run);
    for (let i = 0; i < 21_000; i += 1) access({ access: 'read', path: `/opt/data/${i}`, code: null });
    expect([files().length, overflow()]).toEqual([20_000, 1000]);
    expect(parted(files()).flat()).toEqual(files());
  });
});

describe('what was learned, sorted', () => {
  it('is used or refused; what this account could not do outside either is neither', () => {
    const file = (path: string, code: string | null, access: 'read' | 'write' = 'read') => ({ access, path, code, count: 1 });
    const host = (name: string, verdict: 'allowed' | 'denied', code: string | null) => ({
      host: name,
      port: 443,
      verdict,
      code,
      method: null,
      count: 1,
    });
    const { used, refused } = sortHeard(
      {
        learned: {
          run: 'run_1',
          agent: 'codex',
          user: 'dev',
          variables: { home: '/home/dev', workspace: undefined, tmp: '/tmp', tools: [], agent: [] },
          workspace: null,
          files: { recorder: 'strace', complete: true, why: null },
          overflow: 0,
        },
        files: [
          file('/a', null),
          file('/there', 'ENOENT'),
          file('/gone', 'ENOENT'),
          file('/there', 'EINTR'),
          file('/ro', 'EROFS', 'write'),
        ],
        hosts: [host('ok', 'allowed', null), host('no', 'denied', 'egress.denied'), host('dns', 'denied', 'egress.unresolved')],
      },
      (_access, place) => place !== '/gone',
    );
    const names = (list: typeof used): string[] => list.map((one) => (one.kind === 'file' ? `${one.access} ${one.path}` : one.host));
    expect(names(used)).toEqual(['read /a', 'ok']);
    expect(names(refused)).toEqual(['read /there', 'write /ro', 'no']);
  });
});
