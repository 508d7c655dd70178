import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, startTimeOf } from '../launch/gate.ts';
import { createRunTable, endOrphans, type LiveRun } from './run-table.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-runs-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const BEGAN = new Date('2026-03-01T12:00:00.000Z');
const entry = (run: string, pid: number, startTime: string): LiveRun =>
  ({
    run: { run, attestation: { pid, startTime, uid: 0, mounts: 0 } },
    subject: { agent: { id: 'codex', proof: 'claimed' }, user: 'dev', os: 'linux' },
    account: { name: 'dev', uid: 1000, gid: 1000, home: '/home/dev' },
    cwd: '/home/dev/project',
  }) as LiveRun;

describe('the run table', () => {
  it('knows what lives, and forgets what has ended', () => {
    const table = createRunTable(folder, () => BEGAN);
    table.add(entry('run_1', process.pid, 'x'));
    table.add(entry('run_2', process.pid, 'x'));
    table.remove('run_1');
    table.remove('run_1');
    expect(table.all().map(({ run }) => run.run)).toEqual(['run_2']);
    expect(fs.readdirSync(folder)).toEqual(['run_2']);
  });

  it('what an earlier daemon left is ended and told, once, and only if it is the very process', async () => {
    const child = spawn('sleep', ['600']);
    const exited = once(child, 'exit');
    const [pid, startTime] = [child.pid ?? 0, startTimeOf(child.pid ?? 0) ?? ''];
    const table = createRunTable(folder, () => BEGAN);
    table.add(entry('run_alive', pid, startTime));
    table.add(entry('run_gone', pid, '1'));
    fs.writeFileSync(path.join(folder, 'run_torn'), '{"pid":');
    const orphans = endOrphans(folder, new Date(BEGAN.getTime() + 5000));
    expect(orphans.sort((a, b) => (a.run < b.run ? -1 : 1))).toEqual([
      { run: 'run_alive', agent: 'codex', osUser: 'dev', durationMs: 5000 },
      { run: 'run_gone', agent: 'codex', osUser: 'dev', durationMs: 5000 },
    ]);
    await exited;
    expect(isAlive(pid, startTime)).toBe(false);
    expect(endOrphans(folder, BEGAN)).toEqual([]);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('never ends this process for its number alone', () => {
    createRunTable(folder, () => BEGAN).add(entry('run_1', process.pid, '1'));
    expect(endOrphans(folder, BEGAN)).toHaveLength(1);
    expect(endOrphans(path.join(folder, 'new'), BEGAN)).toEqual([]);
  });
});
