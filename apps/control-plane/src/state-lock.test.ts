import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { lockState } from './state-lock.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-lock-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
});
const inUse = expect.objectContaining({ code: 'state.in-use' });
const script = `import(process.argv[1]).then(({ lockState }) => { lockState(process.argv[2]); console.log('locked'); setInterval(() => {}, 1000); }).catch(() => process.exit(3))`;

describe('the lock on a state folder', () => {
  it('is had by one: the second is refused, and is let in when the first has gone', () => {
    const lock = lockState(folder);
    expect(() => lockState(folder)).toThrow(expect.objectContaining({ code: 'state.in-use', place: folder }));
    lock.release();
    lockState(folder).release();
  });

  it('is had by one of several processes, is dropped when that one is killed, and then again had by one', async () => {
    const start = async (): Promise<{ child: ReturnType<typeof spawn>; has: boolean }> => {
      const child = spawn(process.execPath, ['-e', script, path.join(import.meta.dirname, 'state-lock.ts'), folder], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      const has = await Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'exit').then(() => false)]);
      return { child, has };
    };
    for (let round = 0; round < 2; round += 1) {
      const all = await Promise.all([start(), start(), start()]);
      const [winner, ...others] = all.filter(({ has }) => has);
      expect(others).toEqual([]);
      expect(() => lockState(folder)).toThrow(inUse);
      winner?.child.kill('SIGKILL');
      if (winner !== undefined) await once(winner.child, 'exit');
    }
    lockState(folder).release();
  });

  it('writes nothing, and says so when the folder is none', () => {
    const lock = lockState(folder);
    expect(fs.readdirSync(folder)).toEqual(['in-use.lock']);
    expect(fs.statSync(path.join(folder, 'in-use.lock')).size).toBe(0);
    lock.release();
    expect(() => lockState(path.join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'state.unusable' }));
  });
});
