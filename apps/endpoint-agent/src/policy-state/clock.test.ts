/** A clock can be set anywhere: what is in force never grows younger by it, and what comes is still judged. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { after, DAY } from '@cordon/policy/trust/_world.ts';
import { filesOf, give, makeFolder, MOVED, openState, published, putFiles, removeFolder } from './_device.ts';
import type { PolicyState } from './policy-state.ts';
import { createSlots, type Slots } from './slots.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
let folder: string;
let elapsed: number;
beforeEach(() => {
  folder = makeFolder();
  elapsed = 5000;
});
afterEach(() => removeFolder(folder));

const open = (): PolicyState => openState(folder, { elapsed: () => elapsed });
const started = async (now: Date): Promise<PolicyState> => {
  const state = open();
  await state.load(now);
  return state;
};
/** In force since its first minute. */
const inForce = async (): Promise<PolicyState> => {
  const state = open();
  await give(state, await published(7), after(MINUTE));
  expect(state.current(after(MINUTE))?.freshness).toBe('current');
  return state;
};
const freshness = (state: PolicyState, ms: number): unknown => state.current(after(ms))?.freshness;

describe('a clock that is set back', () => {
  it('makes nothing young again that was stale or expired', async () => {
    const state = await inForce();
    expect([freshness(state, HOUR), freshness(state, 2 * MINUTE)]).toEqual(['stale', 'stale']);
    expect([freshness(state, 2 * DAY), freshness(state, 2 * MINUTE)]).toEqual(['expired', 'expired']);
  });

  it('nor after a restart', async () => {
    expect(freshness(await inForce(), 2 * DAY)).toBe('expired');
    const again = await started(after(2 * MINUTE));
    expect([freshness(again, 2 * MINUTE), freshness(again, -DAY)]).toEqual(['expired', 'expired']);
    expect((await (await started(after(2 * MINUTE))).load(after(2 * MINUTE)))?.freshness).toBe('expired');
  });

  it('stops no time while the daemon lives', async () => {
    const state = await inForce();
    elapsed += 30 * MINUTE;
    expect(freshness(state, 2 * MINUTE)).toBe('stale');
    elapsed += DAY;
    expect(freshness(state, 2 * MINUTE)).toBe('expired');
  });

  it('to before anything was signed does not take the policy away, nor does it keep a new one out', async () => {
    await inForce();
    const state = await started(after(-365 * DAY));
    expect(freshness(state, -365 * DAY)).toBe('current');
    elapsed += 9 * MINUTE;
    const moved = await published(8, { ...MOVED, at: after(10 * MINUTE) });
    expect(await give(state, moved, after(-365 * DAY + 9 * MINUTE))).toContainEqual(
      expect.objectContaining({ kind: 'accepted', replaced: true }),
    );
  });

  it('does not let what expired be delivered again', async () => {
    const state = await inForce();
    elapsed += 2 * DAY;
    const halves = await published(7);
    expect(await give(state, halves, after(2 * MINUTE))).toContainEqual(
      expect.objectContaining({ kind: 'refused', code: 'checkpoint.expired' }),
    );
    const again = await started(after(2 * MINUTE));
    expect(freshness(again, 2 * DAY)).toBe('expired');
    for (const outcome of await give(again, halves, after(2 * MINUTE)))
      if (outcome.kind === 'accepted') expect(outcome.state.freshness).toBe('expired');
    expect(freshness(again, 2 * MINUTE)).toBe('expired');
    expect(freshness(await started(after(2 * MINUTE)), 2 * MINUTE)).toBe('expired');
  });

  it('gives no exception a second life: everything is judged by one time', async () => {
    const state = await inForce();
    expect(state.current(after(HOUR))?.judgedAt).toEqual(after(HOUR));
    expect(state.current(after(0))?.judgedAt).toEqual(after(HOUR));
  });
});

describe('a clock that is set back while no daemon runs', () => {
  it('stops no time within one boot of the machine, asleep or not, however often a daemon starts', async () => {
    await inForce();
    for (let i = 0; i < 3; i += 1) {
      // Nobody looked at it meanwhile; the machine has counted on.
      elapsed += 6 * MINUTE;
      const again = await started(after(MINUTE));
      again.close();
      expect([i, freshness(again, MINUTE)]).toEqual([i, i < 2 ? 'current' : 'stale']);
    }
    elapsed += DAY;
    expect(freshness(await started(after(MINUTE)), MINUTE)).toBe('expired');
  });

  it('brings back, over a reboot, no more than the minutes since the time was last written down', async () => {
    let boot = 'boot-1';
    const begin = async (): Promise<PolicyState> => {
      const state = openState(folder, { elapsed: () => elapsed, boot });
      await state.load(after(MINUTE));
      return state;
    };
    const state = await begin();
    await give(state, await published(7), after(MINUTE));
    for (let i = 0; i < 13; i += 1) {
      elapsed += MINUTE;
      await state.tend(after(MINUTE));
    }
    // Thirteen minutes have passed, of which ten were written down.
    [boot, elapsed] = ['boot-2', 1000];
    const next = await begin();
    expect(freshness(next, MINUTE)).toBe('current');
    elapsed += 3 * MINUTE;
    expect(freshness(next, MINUTE)).toBe('current');
    elapsed += 2 * MINUTE;
    expect(freshness(next, MINUTE)).toBe('stale');
  });

  it('of another boot says nothing of this one: that may have begun a moment ago', async () => {
    elapsed = 50 * DAY;
    await inForce();
    elapsed = 1000;
    const state = openState(folder, { elapsed: () => elapsed, boot: 'boot-2' });
    await state.load(after(MINUTE));
    expect(freshness(state, MINUTE)).toBe('current');
  });
});

describe('a clock that was far ahead', () => {
  it('heals with the next state that is signed later', async () => {
    const state = await inForce();
    expect(freshness(state, 3650 * DAY)).toBe('expired');
    const again = await started(after(20 * MINUTE));
    expect(freshness(again, 20 * MINUTE)).toBe('expired');
    await give(again, await published(8, { at: after(20 * MINUTE) }), after(21 * MINUTE));
    expect(freshness(again, 21 * MINUTE)).toBe('current');
    expect(freshness(await started(after(22 * MINUTE)), 22 * MINUTE)).toBe('current');
  });

  it('beyond what a file can say is kept too', async () => {
    const state = await inForce();
    expect(freshness(state, 8.64e15 - after(0).getTime())).toBe('expired');
    expect(freshness(await started(after(2 * MINUTE)), 2 * MINUTE)).toBe('expired');
  });

  it('refuses what comes meanwhile, and says so', async () => {
    const state = await inForce();
    expect(await give(state, await published(8), after(DAY))).toEqual([
      { kind: 'waiting' },
      expect.objectContaining({ kind: 'refused', code: 'checkpoint.expired' }),
    ]);
  });
});

describe('what the disk remembers', () => {
  it('a clock that says nothing makes everything expired', async () => {
    expect(freshness(await inForce(), Number.NaN)).toBe('expired');
  });

  it('is written once for each step of age, and again where it could not be', async () => {
    const slots = createSlots(folder);
    let [full, tries] = [false, 0];
    const remember: Slots['remember'] = (ratchet) => {
      tries += 1;
      if (full) throw new Error('no space');
      slots.remember(ratchet);
    };
    const state = openState(folder, { slots: { ...slots, remember }, elapsed: () => elapsed });
    await give(state, await published(7), after(MINUTE));
    for (const ms of [MINUTE, 2 * MINUTE, HOUR, 2 * HOUR]) state.current(after(ms));
    expect(tries).toBe(1);
    full = true;
    for (const ms of [2 * DAY, 2 * DAY]) state.current(after(ms));
    expect(tries).toBe(3);
    full = false;
    for (const ms of [MINUTE, 2 * DAY]) state.current(after(ms));
    expect(tries).toBe(4);
    expect(freshness(await started(after(MINUTE)), MINUTE)).toBe('expired');
  });

  it('catches up with a state that there was no room for', async () => {
    const slots = createSlots(folder);
    let full = false;
    const write: Slots['write'] = (stored, ratchet) => {
      if (full) throw new Error('no space');
      slots.write(stored, ratchet);
    };
    const state = openState(folder, { slots: { ...slots, write }, elapsed: () => elapsed });
    await give(state, await published(7), after(MINUTE));
    full = true;
    await give(state, await published(8), after(MINUTE));
    state.current(after(HOUR));
    expect((await started(after(HOUR))).current(after(HOUR))?.serial).toBe(7);
    full = false;
    state.current(after(HOUR));
    expect((await started(after(HOUR))).current(after(HOUR))?.serial).toBe(8);
  });

  it('of an earlier version knows no time, and counts', async () => {
    const state = await inForce();
    state.current(after(2 * DAY));
    const files = filesOf(folder);
    files.set('ratchet.json', Buffer.from('{"epoch":3,"serial":7,"member":7}'));
    putFiles(folder, files);
    expect(freshness(await started(after(2 * MINUTE)), 2 * MINUTE)).toBe('current');
    files.set('ratchet.json', Buffer.from('{"epoch":3,"serial":8,"member":7}'));
    putFiles(folder, files);
    expect((await started(after(2 * MINUTE))).current(after(2 * MINUTE))).toBe(undefined);
  });
});
