/**
 * What is guaranteed when the process is killed or the power fails at any step of storing: an update leaves the state before it or the new one, whole, and the
 * next start finds it; a first state leaves nothing or itself; a step of age leaves the state as it is. Only where the disk refused a state that replaced
 * another, nothing may be left: the one before it is void by then.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CordonError } from '@cordon/policy/errors.ts';
import { after, DAY, keyNamed, keysFor } from '@cordon/policy/trust/_world.ts';
import { nextRoot, signRoot } from '@cordon/policy/trust/founding.ts';
import { cutAt, LOSSES, type Loss } from '../_power-cut.ts';
import { saveEnrollment, type Enrollment } from '../identity/enrollment.ts';
import { enrollment, filesOf, give, makeFolder, MOVED, openState, published, putFiles, removeFolder, world } from './_device.ts';
import type { PolicyState } from './policy-state.ts';
import { createSlots, type Slots } from './slots.ts';
import { TRIAL_MS } from './trial.ts';

const NOW = after(60_000);
let [folder, elapsed]: [string, number] = ['', 0];
beforeEach(() => (folder = makeFolder()));
afterEach(() => removeFolder(folder));

/** With the roots that are stored beside the state. */
const open = (slots: Slots = createSlots(folder)): PolicyState => {
  const file = path.join(folder, 'enrollment.json');
  return openState(folder, {
    enrollment: fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Enrollment) : enrollment,
    slots,
    elapsed: () => elapsed,
    keep: (newer) => saveEnrollment(folder, newer),
  });
};
const started = async (slots?: Slots, now = NOW): Promise<PolicyState> => {
  const state = open(slots);
  await state.load(now);
  return state;
};
/** Has lived with what it enforces for long enough. */
const settle = async (state: PolicyState): Promise<PolicyState> => {
  elapsed += TRIAL_MS;
  await state.tend(NOW);
  return state;
};
const serialOf = (state: PolicyState, now = NOW): number | undefined => state.current(now)?.serial;

/** Tries every step of `work` on the same files. @returns what the next start had in force after each */
const eachCut = async (
  loss: Loss,
  work: (state: PolicyState) => Promise<unknown>,
  slots: () => Slots = () => createSlots(folder),
  later = async (state: PolicyState): Promise<unknown> => give(state, await published(20), NOW),
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
    await later(next);
    expect(serialOf(await started())).toBe(20);
  }
};
/** Open, write, fsync, rename, fsync of the folder. */
const FILE = 5;
/** The trial of what says something new, the slot, the ratchet. */
const STEPS = 3 * FILE;

describe.each(LOSSES)('a cut at any step, losing %s', (loss) => {
  it.each([1, 2])('of storing an update, with %s states there, leaves the old or the new one', async (there) => {
    const before = await started();
    for (let serial = 7; serial < 7 + there; serial += 1) await give(before, await published(serial), NOW);
    await settle(before);
    const [old, fresh] = [6 + there, 7 + there];
    const halves = await published(fresh, MOVED);
    const found = await eachCut(loss, (state) => give(state, halves, NOW));
    expect(found).toHaveLength(STEPS);
    expect(found.filter((serial) => serial !== old && serial !== fresh)).toEqual([]);
    // Once the slot has its name it is the new one, and stays.
    expect(found.slice(0, FILE + 3)).toEqual(Array(FILE + 3).fill(old));
    expect(found.slice(2 * FILE)).toEqual(Array(FILE).fill(fresh));
  });

  it('of storing two updates in a row leaves one of the three, and never an older one at a later step', async () => {
    const before = await started();
    await give(before, await published(7), NOW);
    await settle(before);
    const updates = [await published(8, MOVED), await published(9)];
    const found = await eachCut(loss, async (state) => {
      for (const halves of updates) await give(state, halves, NOW);
    });
    expect(found.filter((serial) => serial === undefined)).toEqual([]);
    expect(found).toEqual(found.toSorted());
    expect(new Set(found)).toEqual(new Set([7, 8, 9]));
  });

  it.each([1, 2])('of storing an update under newer roots, with %s states there, leaves the old or the new one', async (there) => {
    const before = await started();
    for (let serial = 7; serial < 7 + there; serial += 1) await give(before, await published(serial), NOW);
    await settle(before);
    const [old, fresh, key] = [6 + there, 7 + there, keyNamed('rotated')];
    const rotated = nextRoot(world.root, { role: 'checkpoint', keys: { threshold: 1, keys: [key.jwk] }, expiresAt: after(400 * DAY) });
    const roots = [await signRoot(rotated, keysFor(world.org, 'root'))];
    const update = async (state: PolicyState, serial: number): Promise<void> => {
      const { trusted } = state;
      if (trusted().roots.length === 1) await state.onRoots({ type: 'roots', after: 1, roots, floor: world.floor }, NOW);
      await give(state, await published(serial, MOVED, { checkpointKey: key }), NOW);
    };
    const found = await eachCut(
      loss,
      (state) => update(state, fresh),
      undefined,
      (state) => update(state, 20),
    );
    // The roots are one more file, between slot and ratchet; at the end the state before, which they do not verify, is removed.
    expect(found).toHaveLength(STEPS + FILE + 2);
    expect(found.filter((serial) => serial !== old && serial !== fresh)).toEqual([]);
    const written = 2 * FILE + 3;
    expect([...found.slice(0, written), ...found.slice(written + 2)]).toEqual([
      ...Array(written).fill(old),
      ...Array(FILE + 2).fill(fresh),
    ]);
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
    const before = await started();
    await give(before, await published(7), NOW);
    await settle(before);
    (await started()).current(after(3_600_000));
    const files = filesOf(folder);
    for (let at = 0; at < FILE; at += 1) {
      putFiles(folder, files);
      const state = await started();
      expect(await cutAt(at, loss, () => void state.current(after(2 * DAY)))).toBe(true);
      const found = (await started()).current(NOW);
      expect([found?.serial, ['stale', 'expired'].includes(found?.freshness ?? '')]).toEqual([7, true]);
    }
  });

  it.each<readonly [what: string, refusals: number, steps: number, left: readonly (number | undefined)[], first: object, second: object]>([
    ['what nobody uses, leaves the old state or the new one', 1, STEPS + 2, [7, 8], {}, MOVED],
    ['everything, for what narrows, leaves the old state, nothing, or the new one', 2, STEPS + 6, [7, undefined, 8], MOVED, {}],
  ])('of making room by removing %s', async (_what, refusals, steps, left, first, second) => {
    const before = await started();
    await give(before, await published(7, first), NOW);
    await settle(before);
    const full = (): Slots => {
      const slots = createSlots(folder);
      let refused = 0;
      return {
        ...slots,
        write: (...what) => {
          refused += 1;
          if (refused <= refusals) throw new CordonError('state.disk-full', 'no space');
          slots.write(...what);
        },
      };
    };
    const halves = await published(8, second);
    const found = await eachCut(loss, (state) => give(state, halves, NOW), full);
    expect(found).toHaveLength(steps);
    expect(new Set(found)).toEqual(new Set(left));
  });
});
