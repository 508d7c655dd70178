/**
 * What cannot be stored: a state that is proven to give nothing more is in force all the same, and says so; one that may give more waits until the disk takes
 * it. On a real file system of a few pages, which only root can make, and in a folder that is read-only.
 */
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { after, contentOf, FLEET } from '@cordon/policy/trust/_world.ts';
import { mountTinyDisk, type TinyDisk } from '../../tests/_tiny-disk.ts';
import { give as giveAt, makeFolder, MOVED, openState, published, removeFolder, type Halves } from './_device.ts';
import type { PolicyState } from './policy-state.ts';
import { createSlots, type Slots } from './slots.ts';

const NOW = after(60_000);
const [STRICT, LAX] = ['/srv/strict', '/srv'];
const reads = (state: PolicyState): unknown => state.current(NOW)?.content.policies[0]?.document.spec.allow?.filesystem?.read?.[0];
const give = (state: PolicyState, halves: Halves, now = NOW): Promise<unknown[]> => giveAt(state, halves, now);
const accepted = (persisted: boolean): unknown => expect.objectContaining({ kind: 'accepted', persisted, replaced: true });
const waits = expect.objectContaining({ kind: 'refused', code: 'state.not-persisted' });

let [disk, place]: [TinyDisk | undefined, string] = [undefined, ''];
beforeEach(() => {
  disk = mountTinyDisk(131_072);
  place = disk?.folder ?? makeFolder();
});
afterEach(() => (disk === undefined ? removeFolder(place) : disk.remove()));

const WAYS: readonly (readonly [what: string, close: () => void, open: () => void])[] = [
  ['a full disk', () => disk?.fill(0), () => disk?.free()],
  [
    'a read-only disk',
    () => (disk === undefined ? fs.chmodSync(place, 0o500) : disk.readOnly(true)),
    () => (disk === undefined ? fs.chmodSync(place, 0o700) : disk.readOnly(false)),
  ],
];
/** Another process, with what is on disk. */
const restarted = async (slots?: Slots): Promise<PolicyState> => {
  const state = openState(place, slots === undefined ? {} : { slots });
  await state.load(NOW);
  // It ends in order, as often as it may: these are no daemons that die of what they enforce.
  state.close();
  return state;
};

describe.each(WAYS)('on %s', (what, close, open) => {
  beforeEach(({ skip }) => skip(what === 'a full disk' && disk === undefined, 'only root can make a disk that is full'));

  it('what narrows is in force at once, says that it is not stored, and is stored when that can be done', async () => {
    const state = openState(place);
    await give(state, await published(7, MOVED));
    close();
    expect(await give(state, await published(8))).toContainEqual(accepted(false));
    expect(reads(state)).toBe(STRICT);
    expect(await state.tend(NOW)).toBeUndefined();
    open();
    expect(await state.tend(NOW)).toMatchObject({
      kind: 'accepted',
      persisted: true,
      replaced: false,
      changed: true,
      state: { serial: 8 },
    });
    expect(await state.tend(NOW)).toBeUndefined();
    expect(reads(await restarted())).toBe(STRICT);
  });

  it('what may give more waits, and takes effect when it is stored', async () => {
    const state = openState(place);
    await give(state, await published(7));
    close();
    expect(await give(state, await published(8, MOVED))).toContainEqual(waits);
    expect(reads(state)).toBe(STRICT);
    expect(await state.tend(NOW)).toBeUndefined();
    expect(state.accepted().serial).toBe(7);
    open();
    expect(await state.tend(NOW)).toMatchObject({ kind: 'accepted', persisted: true, replaced: true, state: { serial: 8 } });
    expect(reads(state)).toBe(LAX);
    expect(reads(await restarted())).toBe(LAX);
  });

  it('a device that has nothing takes nothing: nothing at all is the narrowest', async () => {
    close();
    const state = openState(place);
    expect(await give(state, await published(7))).toContainEqual(waits);
    expect(state.current(NOW)).toBeUndefined();
    open();
    expect(await state.tend(NOW)).toMatchObject({ kind: 'accepted', persisted: true });
    expect(reads(await restarted())).toBe(STRICT);
  });

  it('what waits is forgotten when something newer is in force, and never comes back', async () => {
    const state = openState(place);
    await give(state, await published(7));
    close();
    await give(state, await published(8, MOVED));
    open();
    await give(state, await published(9));
    expect(await state.tend(NOW)).toBeUndefined();
    expect([reads(state), reads(await restarted())]).toEqual([STRICT, STRICT]);
  });

  it('what waits keeps waiting when its other half comes anew, whichever comes first', async () => {
    const state = openState(place);
    await give(state, await published(7));
    const wider = (serial: number): Promise<Halves> =>
      published(serial, {
        cohorts: FLEET.cohorts.map((one, i) => (i === 0 ? { ...one, serial, content: contentOf(['pol_z', 1, '/srv']) } : one)),
      });
    close();
    const { frame, membership } = await wider(8);
    expect(await state.onState(frame, NOW)).toEqual(waits);
    expect(await state.onMembership(membership, NOW)).toEqual(waits);
    const renewed = await wider(9);
    expect(await state.onMembership(renewed.membership, NOW)).toEqual(waits);
    expect(await state.onState(renewed.frame, NOW)).toEqual(waits);
    open();
    expect(await state.tend(NOW)).toMatchObject({ kind: 'accepted', persisted: true, replaced: true, state: { serial: 9 } });
    expect(await state.onMembership((await wider(10)).membership, NOW)).toMatchObject({ kind: 'accepted', replaced: false });
    expect(reads(state)).toBe(LAX);
  });

  it('a renewal keeps what is in force young', async () => {
    const state = openState(place);
    await give(state, await published(7));
    close();
    const later = after(20 * 60_000);
    expect(await give(state, await published(8, { at: later }), later)).toContainEqual(
      expect.objectContaining({ kind: 'accepted', persisted: false, replaced: false }),
    );
    expect(state.current(later)?.freshness).toBe('current');
    open();
  });

  it('what narrows leaves no looser state behind that a start would bring back', async () => {
    const state = openState(place);
    await give(state, await published(7, MOVED));
    close();
    await give(state, await published(8));
    open();
    // Where nothing at all can be written, nothing can be removed either: the old state is still signed for this device, and the device said so.
    if (what === 'a full disk') expect([undefined, STRICT]).toContain(reads(await restarted()));
    else expect(reads(await restarted())).toBe(LAX);
  });
});

describe('where there is room for one state only', () => {
  /** Refuses so many writes of a state. */
  const refusing = (times: number): Slots => {
    const slots = createSlots(place);
    let left = times;
    return {
      ...slots,
      write: (...what) => {
        left -= 1;
        if (left >= 0) throw new Error('no space');
        slots.write(...what);
      },
    };
  };
  const content = (serial: number, read: string): Promise<Halves> =>
    published(serial, {
      cohorts: FLEET.cohorts.map((cohort, i) => (i === 0 ? { ...cohort, serial, content: contentOf(['pol_a', serial, read]) } : cohort)),
    });

  it('the one that nobody uses makes room, also for what gives more', async () => {
    await give(openState(place), await content(7, '/srv/a'));
    const state = await restarted(refusing(1));
    expect(await give(state, await content(8, '/srv'))).toContainEqual(accepted(true));
    expect(reads(await restarted())).toBe('/srv');
  });

  it('what narrows takes the place of the one before it; what gives more does not', async () => {
    await give(openState(place), await content(7, '/srv/a'));
    const wider = await restarted(refusing(4));
    expect(await give(wider, await content(8, '/srv'))).toContainEqual(waits);
    expect(reads(await restarted())).toBe('/srv/a');
    const narrower = await restarted(refusing(2));
    expect(await give(narrower, await content(9, '/srv/a/b'))).toContainEqual(accepted(true));
    expect(reads(await restarted())).toBe('/srv/a/b');
  });
});
