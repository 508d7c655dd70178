import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { processesWith } from './_world.ts';

it('a daemon that is killed leaves no run, no bridge and nothing that was prepared', async () => {
  const mark = `victim-${randomBytes(6).toString('hex')}`;
  const victim = fork(path.join(import.meta.dirname, '_victim.ts'), [mark], { execArgv: [] });
  const [{ root, runtimeDir }] = (await once(victim, 'message')) as [{ root: string; runtimeDir: string }];
  try {
    expect(processesWith(mark).length).toBeGreaterThan(1);
    await expect.poll(() => processesWith(runtimeDir).length, { timeout: 10_000 }).toBeGreaterThan(4); // the run, and what waits for the next
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    await expect.poll(() => [...processesWith(mark), ...processesWith(runtimeDir)], { timeout: 20_000 }).toEqual([]);
  } finally {
    victim.kill('SIGKILL');
    for (const place of [root, runtimeDir]) fs.rmSync(place, { recursive: true, force: true });
  }
});
