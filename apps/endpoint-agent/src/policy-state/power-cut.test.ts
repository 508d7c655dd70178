/**
 * What is guaranteed when the process is killed or the power fails at any step of storing: an update leaves the state before it or the new one, whole, and the
 * next start finds it; a first state leaves nothing or itself; a step of age leaves the state as it is. Only where the disk refused a state that replaced
 * another, nothing may be left: the one before it is void by then.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { after, DAY } from '@cordon/policy/trust/_world.ts';
import { cutAt, LOSSES, type Loss } from '../_power-cut.ts';
import { enrollment, filesOf, give, makeFolder, MOVED, published, putFiles, removeFolder } from './_device.ts';
import { createPolicyState, type PolicyState } from './policy-state.ts';
import { createSlots, type Slots } from './slots.ts';

const NOW = after(60_000);
let folder: string;
beforeEach(() => (folder = makeFolder()));
afterEach(() => removeFolder(folder));

const open = (slots: Slots = createSlots(folder)): PolicyState =>
  createPolicyState(
    enrollment,
    slots,
    () => undefined,
    () => 0,
  );
const started = async (slots?: Slots, now = NOW): Promise<PolicyState> => {
  const state = open(slots);
  await state.load(now);
  return state;
};
const serialOf = (state: PolicyState, now = NOW): number | undefined => state.current(now)?.serial;

/** Tries every step of `work` on the same files. @returns what the next start had in force after each */
const eachCut = async (
  loss: Loss,
  work: (state: PolicyState) => Promise<unknown>,
  slots: () => Slots = () => createSlots(folder),
): Promise<(number | undefined)[]> => {
  const files = filesOf(folder);
  const found: (number | undefined)[] = [];
  for (let at = 0; ; at += 1) {
    putFiles(folder, files);
    const state = await started(slots());
    if (!(await cutAt(at, loss, () => work(state)))) return found;
    const next = await started();
    found.push(serialOf(next));
    // Whatever it was: what comes next is stored and found.
    await give(next, await published(20), NOW);
    expect(serialOf(await started())).toBe(20);
  }
};
/** Open, write, fsync, rename, fsync of the folder; for the slot and for the ratchet. */
const STEPS = 10;

describe.each(LOSSES)('a cut at any step, losing %s', (loss) => {
  it.each([1, 2])('of storing an update, with %s states there, leaves the old or the new one', async (there) => {
    const before = await started();
    for (let serial = 7; serial < 7 + there; serial += 1) await give(before, await published(serial), NOW);
    const [old, fresh] = [6 + there, 7 + there];
    const halves = await published(fresh, MOVED);
    const found = await eachCut(loss, (state) => give(state, halves, NOW));
    expect(found).toHaveLength(STEPS);
    expect(found.filter((serial) => serial !== old && serial !== fresh)).toEqual([]);
    // Once the slot has its name it is the new one, and stays.
    expect(found.slice(0, 3)).toEqual([old, old, old]);
    expect(found.slice(5)).toEqual(Array(5).fill(fresh));
  });

  it('of storing two updates in a row leaves one of the three, and never an older one at a later step', async () => {
    await give(await started(), await published(7), NOW);
    const updates = [await published(8, MOVED), await published(9)];
    const found = await eachCut(loss, async (state) => {
      for (const halves of updates) await give(state, halves, NOW);
    });
    expect(found.filter((serial) => serial === undefined)).toEqual([]);
    expect(found).toEqual(found.toSorted());
    expect(new Set(found)).toEqual(new Set([7, 8, 9]));
  });

  it('of storing the first state leaves nothing or that', async () => {
    const halves = await published(7);
    const found = await eachCut(loss, (state) => give(state, halves, NOW));
    expect(found).toHaveLength(STEPS);
    // A state without its ratchet counts for nothing.
    expect(found.slice(0, -2)).toEqual(Array(STEPS - 2).fill(undefined));
    expect([undefined, 7]).toContain(found.at(-1));
    await give(await started(), halves, NOW);
    expect(serialOf(await started())).toBe(7);
  });

  it('of storing its age leaves the state, no younger than what was stored before', async () => {
    await give(await started(), await published(7), NOW);
    (await started()).current(after(3_600_000));
    const files = filesOf(folder);
    for (let at = 0; at < STEPS / 2; at += 1) {
      putFiles(folder, files);
      const state = await started();
      expect(await cutAt(at, loss, () => void state.current(after(2 * DAY)))).toBe(true);
      const found = (await started()).current(NOW);
      expect([found?.serial, ['stale', 'expired'].includes(found?.freshness ?? '')]).toEqual([7, true]);
    }
  });

  it('of making room on a full disk leaves the old state, nothing, or the new one', async () => {
    await give(await started(), await published(7), NOW);
    const full = (): Slots => {
      const slots = createSlots(folder);
      let refused = false;
      return {
        ...slots,
        write: (state, ratchet) => {
          if (!refused) {
            refused = true;
            throw new CordonError('state.disk-full', 'no space');
          }
          slots.write(state, ratchet);
        },
      };
    };
    const halves = await published(8, MOVED);
    const found = await eachCut(loss, (state) => give(state, halves, NOW), full);
    expect(found).toHaveLength(STEPS + 4);
    expect(new Set(found)).toEqual(new Set([7, undefined, 8]));
  });
});
