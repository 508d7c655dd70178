/** What waits for the next run, and what happens to it meanwhile. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createPipes } from '../src/launch/pipes.ts';
import { createSeats } from '../src/launch/seats.ts';
import { finish, startLauncher, type TestLauncher } from './_launcher.ts';
import { createWorld, IS_ROOT, processesWith, type World } from './_world.ts';

let world: World;
let test: TestLauncher;
beforeAll(async () => {
  world = createWorld();
  test = await startLauncher(world);
});
afterAll(async () => {
  await test?.stop();
  world?.remove();
});

const places = (): string[] => fs.readdirSync(path.join(world.runtimeDir, 'egress'));
/** The place of the one seat that waits. */
const waiting = async (): Promise<string> => {
  await expect.poll(places, { timeout: 10_000 }).toHaveLength(1);
  await expect.poll(() => processesWith(test.helpers.executor).length, { timeout: 10_000 }).toBeGreaterThan(0);
  const place = places()[0] ?? '';
  const comm = (pid: number): string => fs.readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
  // A root daemon's has its bridge; before that it is not one yet.
  if (IS_ROOT) await expect.poll(() => processesWith(place).map(comm), { timeout: 10_000 }).toContain('socat');
  return place;
};
const succeeds = async (): Promise<void> => expect((await test.sh('exit 0')).end).toEqual({ reason: 'exited', exitCode: 0 });

it('is taken by the next run, and followed by another', async () => {
  await succeeds();
  const first = await waiting();
  await succeeds();
  expect(await waiting()).not.toBe(first);
});

it('is not used when the egress process that it counted on has died', async () => {
  await succeeds();
  const gone = await waiting();
  const before = test.egress.pid();
  process.kill(before ?? 0, 'SIGKILL');
  await expect.poll(() => test.egress.pid(), { timeout: 10_000 }).not.toBe(before);
  await succeeds();
  expect(places()).not.toContain(gone);
});

it('is not used when one of its processes was ended', async () => {
  await succeeds();
  const gone = await waiting();
  for (const pid of processesWith(test.helpers.executor)) process.kill(pid, 'SIGKILL');
  await expect.poll(() => processesWith(test.helpers.executor)).toEqual([]);
  await succeeds();
  expect(places()).not.toContain(gone);
  await expect.poll(() => processesWith(gone), { timeout: 10_000 }).toEqual([]);
});

it('may begin twenty times at once, and as many wait afterwards; unasked for they are given up by halves', async () => {
  const runtimeDir = path.join(world.runtimeDir, 'launch');
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const pipes = createPipes(runtimeDir, test.helpers.mkfifo);
  const seats = createSeats({ folder: runtimeDir, helpers: test.helpers, egress: test.egress, pipes });
  const burst = async (count: number): Promise<void> => {
    const taken = await Promise.all(Array.from({ length: count }, () => seats.take()));
    expect(new Set(taken.map(({ name }) => name)).size).toBe(count);
    for (const seat of taken) {
      expect(seat.usable()).toBe(true);
      seat.discard();
      await test.egress.close(seat.name);
      seats.refill();
    }
  };
  await burst(6);
  await vi.waitFor(() => expect(seats.waiting()).toBe(6), { timeout: 20_000 });
  for (const left of [3, 2, 1, 1]) {
    vi.advanceTimersByTime(60_000);
    expect(seats.waiting()).toBe(left);
  }
  await seats.stop();
  expect(seats.waiting()).toBe(0);
  const ends = await Promise.all(Array.from({ length: 20 }, (_, i) => test.sh(`exit ${i}`)));
  expect(ends.map(({ end }) => end.exitCode)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

it('whose lifeline was cut ends its run: nobody would, if the daemon were killed too', async () => {
  const run = await test.launcher.launch(test.request(['sleep', '3600']));
  const parents = new Map(
    processesWith(test.helpers.executor).map((pid) => [pid, /\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]]),
  );
  // The shell that waits on it has the executor for a parent.
  const comm = (pid: number): string => fs.readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
  const lifelines = [...parents].filter(([pid, parent]) => comm(pid) === 'sh' && comm(Number(parent)) === 'lxc-exec').map(([pid]) => pid);
  expect(lifelines).toHaveLength(1);
  process.kill(lifelines[0] ?? 0, 'SIGKILL');
  expect((await finish(run)).end).toEqual({ reason: 'killed', exitCode: 137 });
});
