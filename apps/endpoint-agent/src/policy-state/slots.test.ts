import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, afterEach, describe, expect, it } from 'vitest';
import { contentOf, createWorld, FLEET, stateFor } from '@cordon/policy/trust/_world.ts';
import { createSlots, type StoredState } from './slots.ts';

/** Each says something else, but for the last, which renews the one before it. */
const states = await Promise.all(
  [7, 8, 9, 10].map(async (serial): Promise<StoredState> => {
    const [first, ...rest] = FLEET.cohorts;
    const cohorts = first === undefined ? [] : [{ ...first, content: contentOf(['pol_a', Math.min(serial, 9), '/srv']) }, ...rest];
    const { frame, membership } = await stateFor(await createWorld('org_slots'), { ...FLEET, serial, cohorts }, 0);
    return { frame, membership };
  }),
);
const state = (index: number): StoredState => states[index] ?? expect.fail('no such state');

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-slots-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
const ratchet = (serial: number): { epoch: number; serial: number; member: number } => ({ epoch: 3, serial, member: serial });

describe('slots', () => {
  it('are empty at first, and the ratchet stands at nothing', () => {
    const slots = createSlots(folder);
    expect(slots.read()).toEqual([]);
    expect(slots.ratchet()).toEqual({ epoch: 0, serial: 0, member: 0 });
  });

  it('keep the last two states exactly as they came, and the ratchet of the last', () => {
    const slots = createSlots(folder);
    [0, 1, 2].forEach((index) => slots.write(state(index), ratchet(7 + index)));
    const again = createSlots(folder);
    expect(again.read()).toEqual(expect.arrayContaining([state(1), state(2)]));
    expect(again.read()).toHaveLength(2);
    expect(again.ratchet()).toEqual(ratchet(9));
  });

  it('let a renewal take the place of what it renews, so that the state before it stays', () => {
    const slots = createSlots(folder);
    [0, 2, 3].forEach((index) => slots.write(state(index), ratchet(7 + index)));
    expect(createSlots(folder).read()).toEqual([state(0), state(3)]);
  });

  it('name what is damaged', () => {
    const slots = createSlots(folder);
    slots.write(state(0), ratchet(7));
    slots.write(state(1), ratchet(8));
    fs.writeFileSync(path.join(folder, 'state-a.json'), '{"frame":');
    expect(slots.read()).toEqual(['damaged', state(1)]);
    fs.writeFileSync(path.join(folder, 'state-b.json'), '{"frame":{},"membership":{}}');
    expect(slots.read()).toEqual(['damaged', 'damaged']);
    for (const text of ['', '{"epoch":3}', '{"epoch":3,"serial":-1,"member":0}', '{"epoch":3,"serial":8,"member":8,"more":1}', 'null']) {
      fs.writeFileSync(path.join(folder, 'ratchet.json'), text);
      expect(slots.ratchet(), text).toBe('damaged');
    }
  });

  it('a ratchet that is gone while there is state is damaged', () => {
    const slots = createSlots(folder);
    slots.write(state(0), ratchet(7));
    fs.rmSync(path.join(folder, 'ratchet.json'));
    expect(slots.ratchet()).toBe('damaged');
    fs.writeFileSync(path.join(folder, 'state-a.json'), 'damaged too');
    expect(slots.ratchet()).toBe('damaged');
  });

  it('a ratchet of which any character was changed is damaged, however well it reads', () => {
    const slots = createSlots(folder);
    const file = path.join(folder, 'ratchet.json');
    slots.write(state(0), { ...ratchet(7), seen: 1_772_366_460_000 });
    const written = fs.readFileSync(file, 'utf8');
    for (let at = 0; at < written.length; at += 1)
      for (const other of ['0', '9', ' ']) {
        const changed = written.slice(0, at) + other + written.slice(at + 1);
        fs.writeFileSync(file, changed);
        expect(slots.ratchet(), changed).toEqual(changed === written ? { ...ratchet(7), seen: 1_772_366_460_000 } : 'damaged');
      }
  });

  it('write beside the one that is in force, in another process too', () => {
    const slots = createSlots(folder);
    slots.write(state(0), ratchet(7));
    const again = createSlots(folder);
    const [held] = again.read();
    if (held === undefined || held === 'damaged') return expect.fail('nothing to hold');
    again.hold(held);
    again.write(state(1), ratchet(8));
    expect(again.read()).toEqual([state(0), state(1)]);
  });

  it('forget the state that is not in force', () => {
    const slots = createSlots(folder);
    slots.forgetOther();
    slots.write(state(0), ratchet(7));
    slots.write(state(1), ratchet(8));
    slots.forgetOther();
    expect([slots.read(), slots.ratchet()]).toEqual([[state(1)], ratchet(8)]);
    slots.write(state(2), ratchet(9));
    expect(slots.read()).toEqual([state(2), state(1)]);
  });

  it('let go of both states and keep the ratchet', () => {
    const slots = createSlots(folder);
    slots.clear();
    slots.write(state(0), ratchet(7));
    slots.write(state(1), ratchet(8));
    slots.clear();
    expect(fs.readdirSync(folder)).toEqual(['ratchet.json']);
    expect([slots.read(), slots.ratchet()]).toEqual([[], ratchet(8)]);
    slots.remember(ratchet(9));
    expect([slots.read(), slots.ratchet()]).toEqual([[], ratchet(9)]);
  });
});
