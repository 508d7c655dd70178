import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { endLeftovers } from '../src/launch/leftovers.ts';
import { IS_ROOT, processesWith } from './_world.ts';

interface Victim {
  readonly process: ChildProcess;
  readonly mark: string;
  readonly root: string;
  readonly runtimeDir: string;
}

const start = async (moment: 'living' | 'held' | 'opened'): Promise<Victim> => {
  const mark = `victim-${randomBytes(6).toString('hex')}`;
  const child = fork(path.join(import.meta.dirname, '_victim.ts'), [mark, moment], { execArgv: [] });
  const [places] = (await once(child, 'message')) as [{ root: string; runtimeDir: string }];
  onTestFinished(() => {
    child.kill('SIGKILL');
    for (const place of Object.values(places)) fs.rmSync(place, { recursive: true, force: true });
  });
  return { process: child, mark, ...places };
};
/** The shells that end what a seat has when its daemon is gone. */
const lifelines = (runtimeDir: string): number[] =>
  processesWith(runtimeDir).filter((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('kill -KILL 0'));
const killed = async ({ process: victim }: Victim, byItself = false): Promise<void> => {
  if (!byItself) victim.kill('SIGKILL');
  if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
};
const nothingLeft = async ({ mark, runtimeDir }: Victim): Promise<void> => {
  await expect.poll(() => processesWith(mark), { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => processesWith(runtimeDir), { timeout: 20_000 }).toEqual([]);
};

it('a daemon that is killed leaves no run, no bridge and nothing that was prepared', async () => {
  const victim = await start('living');
  await expect.poll(() => processesWith(victim.mark).length, { timeout: 10_000 }).toBeGreaterThan(1);
  await expect.poll(() => processesWith(victim.runtimeDir).length, { timeout: 10_000 }).toBeGreaterThan(4); // the run, and what waits for the next
  await killed(victim);
  await nothingLeft(victim);
});

it('a daemon leaves no run either when the processes that see to it are killed before it', async () => {
  const victim = await start('living');
  await expect.poll(() => processesWith(victim.mark).length, { timeout: 10_000 }).toBeGreaterThan(1);
  // Stopped, so that it cannot do anything about it any more.
  process.kill(victim.process.pid ?? 0, 'SIGSTOP');
  for (const pid of lifelines(victim.runtimeDir)) process.kill(pid, 'SIGKILL');
  await killed(victim);
  await expect.poll(() => processesWith(victim.mark), { timeout: 20_000 }).toEqual([]);
  // A bridge that nobody ended leads nowhere; the next daemon begins with it.
  endLeftovers({ helpers: path.join(victim.runtimeDir, 'helpers'), egress: path.join(victim.runtimeDir, 'egress') });
  await nothingLeft(victim);
});

it('a run that waits at its gate when the daemon is killed never starts', async () => {
  const victim = await start('held');
  // Nobody but root has a bridge outside.
  expect(processesWith(victim.runtimeDir).length).toBeGreaterThan(IS_ROOT ? 4 : 3);
  await killed(victim);
  await nothingLeft(victim);
  expect(fs.readdirSync(path.join(victim.root, 'workspace'))).toEqual([]);
});

it.each([1, 2, 3, 4])('a run whose gate was opened by the last thing that a daemon did is gone (%i)', async () => {
  const victim = await start('opened');
  await killed(victim, true);
  await nothingLeft(victim);
});
