import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { endLeftovers } from '../src/launch/leftovers.ts';
import { processesWith } from './_world.ts';

/** The shells that end what a seat has when its daemon is gone. */
const lifelines = (runtimeDir: string): number[] =>
  processesWith(runtimeDir).filter((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('kill -KILL 0'));

it.each([
  ['that is killed leaves no run, no bridge and nothing that was prepared', false],
  ['leaves no run either when the processes that see to it are killed before it', true],
])('a daemon %s', async (_name, isAlone) => {
  const mark = `victim-${randomBytes(6).toString('hex')}`;
  const victim = fork(path.join(import.meta.dirname, '_victim.ts'), [mark], { execArgv: [] });
  const [{ root, runtimeDir }] = (await once(victim, 'message')) as [{ root: string; runtimeDir: string }];
  try {
    await expect.poll(() => processesWith(mark).length, { timeout: 10_000 }).toBeGreaterThan(1);
    await expect.poll(() => processesWith(runtimeDir).length, { timeout: 10_000 }).toBeGreaterThan(4); // the run, and what waits for the next
    // Stopped, so that it cannot do anything about it any more.
    process.kill(victim.pid ?? 0, 'SIGSTOP');
    if (isAlone) for (const pid of lifelines(runtimeDir)) process.kill(pid, 'SIGKILL');
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    await expect.poll(() => processesWith(mark), { timeout: 20_000 }).toEqual([]);
    // A bridge that nobody ended leads nowhere; the next daemon begins with it.
    if (isAlone) endLeftovers({ helpers: path.join(runtimeDir, 'helpers'), egress: path.join(runtimeDir, 'egress') });
    await expect.poll(() => processesWith(runtimeDir), { timeout: 20_000 }).toEqual([]);
  } finally {
    victim.kill('SIGKILL');
    for (const place of [root, runtimeDir]) fs.rmSync(place, { recursive: true, force: true });
  }
});
