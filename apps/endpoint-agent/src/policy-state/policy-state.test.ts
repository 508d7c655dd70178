import fc from 'fast-check';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { after, contentOf, DAY, FLEET, ISSUED, keyNamed, stateFor, type Forgery } from '@cordon/policy/trust/_world.ts';
import { give as giveAt, MOVED, openState, published, world, type Halves } from './_device.ts';
import type { Outcome, PolicyState } from './policy-state.ts';

const NOW = after(60_000);
const [STRICT, LAX] = ['/srv/strict', '/srv'];
/** What is in force, told by what its first policy lets be read. */
const reads = (state: PolicyState, now = NOW): unknown =>
  state.current(now)?.content.policies[0]?.document.spec.allow?.filesystem?.read?.[0];

let folder: string;
let said: string[];
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-state-'));
  said = [];
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const open = (place = folder): PolicyState => openState(place, { log: (line) => void said.push(line) });
const give = (state: PolicyState, halves: Halves, now = NOW): Promise<Outcome[]> => giveAt(state, halves, now);
/** A daemon that starts again. */
const restarted = async (now = NOW): Promise<PolicyState> => {
  const state = open();
  await state.load(now);
  return state;
};
const files = (): string[] => fs.readdirSync(folder).sort();

describe('what comes', () => {
  it('is in force and stored once both halves are there', async () => {
    const state = open();
    expect(await state.load(NOW)).toBe(undefined);
    const [first, second] = await give(state, await published(7));
    expect(first).toEqual({ kind: 'waiting' });
    expect(second).toMatchObject({ kind: 'accepted', replaced: true, changed: true, persisted: true });
    expect(reads(state)).toBe(STRICT);
    expect(reads(await restarted())).toBe(STRICT);
    expect((await restarted()).problems()).toEqual([]);
  });

  it('in the other order too', async () => {
    const state = open();
    const { frame, membership } = await published(7);
    expect(await state.onMembership(membership, NOW)).toEqual({ kind: 'waiting' });
    expect(await state.onState(frame, NOW)).toMatchObject({ kind: 'accepted', replaced: true });
  });

  it('of the cohort it is in needs no new membership', async () => {
    const state = open();
    await give(state, await published(7));
    const { frame } = await published(8, {
      cohorts: FLEET.cohorts.map((cohort, i) =>
        i === 0 ? { ...cohort, serial: 8, content: contentOf(['pol_a', 3, '/srv/stricter']) } : cohort,
      ),
    });
    expect(await state.onState(frame, NOW)).toMatchObject({ kind: 'accepted', replaced: true });
    expect(reads(state)).toBe('/srv/stricter');
  });

  it.each([['state, membership'], ['membership, state']])('when it moves to another cohort: %s', async (order) => {
    const state = open();
    await give(state, await published(7));
    const { frame, membership } = await published(8, MOVED);
    const first = order.startsWith('state') ? await state.onState(frame, NOW) : await state.onMembership(membership, NOW);
    expect(first).toEqual({ kind: 'waiting' });
    expect(reads(state)).toBe(STRICT);
    const second = order.startsWith('state') ? await state.onMembership(membership, NOW) : await state.onState(frame, NOW);
    expect(second).toMatchObject({ kind: 'accepted', replaced: true });
    expect(reads(state)).toBe(LAX);
  });

  it('a renewal of the old cohort between the two halves of a move spoils neither', async () => {
    const state = open();
    await give(state, await published(7));
    const moved = await published(9, MOVED);
    await state.onState(moved.frame, NOW);
    expect(await state.onMembership((await published(8)).membership, NOW)).toMatchObject({ kind: 'accepted', replaced: false });
    expect(await state.onMembership(moved.membership, NOW)).toMatchObject({ kind: 'accepted', replaced: true });
    expect(reads(state)).toBe(LAX);
  });

  it('a frame without bytes means those that are there', async () => {
    const state = open();
    await give(state, await published(7));
    const { frame, membership } = await published(8, { at: after(10 * 60_000) });
    const later = after(11 * 60_000);
    expect(await state.onState({ ...frame, bundle: null }, later)).toMatchObject({ kind: 'accepted', replaced: false, changed: true });
    expect(await state.onMembership(membership, later)).toMatchObject({ kind: 'accepted', replaced: false, changed: false });
    expect(reads(await restarted(later), later)).toBe(STRICT);
    const other = await published(9, MOVED);
    await state.onMembership(other.membership, later);
    expect(await state.onState({ ...other.frame, bundle: null }, later)).toMatchObject({ kind: 'refused', code: 'bundle.missing' });
    expect(reads(state)).toBe(STRICT);
  });

  it('after a time without renewal a state alone waits for its membership', async () => {
    const state = open();
    await give(state, await published(7));
    const later = after(3 * 3_600_000);
    expect(state.current(later)?.freshness).toBe('stale');
    const { frame, membership } = await published(8, { at: later });
    expect(await state.onState(frame, later)).toEqual({ kind: 'waiting' });
    expect(await state.onMembership(membership, later)).toMatchObject({ kind: 'accepted' });
    expect(state.current(later)?.freshness).toBe('current');
  });

  it('grows stale, then expires, on the device’s own clock', async () => {
    const state = open();
    await give(state, await published(7));
    const at = (ms: number): unknown => state.current(after(ms))?.freshness;
    expect([at(60_000), at(20 * 60_000), at(2 * DAY)]).toEqual(['current', 'stale', 'expired']);
    expect((await (await restarted(after(2 * DAY))).load(after(2 * DAY)))?.freshness).toBe('expired');
  });
});

describe('what is bad', () => {
  it.each<readonly [string, Forgery]>([
    ['jws.key', { policyKey: keyNamed('thief') }],
    ['bundle.digest', { manifest: (manifest) => ({ ...manifest, size: manifest.size + 1 }) }],
    ['manifest.digest', { manifest: (manifest) => ({ ...manifest, digest: 'a'.repeat(64) }) }],
    ['cohort.serial', { cohortLeaf: (leaf) => ({ ...leaf, serial: 99 }) }],
    ['checkpoint.expired', { checkpoint: (payload) => ({ ...payload, expiresAt: ISSUED.toISOString() }) }],
  ])('%s keeps what is in force, on disk too', async (code, forgery) => {
    const state = open();
    await give(state, await published(7));
    const before = files().map((name) => fs.readFileSync(path.join(folder, name), 'utf8'));
    const { frame } = await published(8, {}, forgery);
    expect(await state.onState(frame, NOW)).toMatchObject({ kind: 'refused', code, frame });
    expect(reads(state)).toBe(STRICT);
    expect(files().map((name) => fs.readFileSync(path.join(folder, name), 'utf8'))).toEqual(before);
    expect(said.join()).toContain(code);
  });

  it('an older serial is refused, also after a restart', async () => {
    const state = open();
    await give(state, await published(9));
    const older = await published(8);
    expect(await state.onState(older.frame, NOW)).toMatchObject({ kind: 'refused', code: 'checkpoint.rollback' });
    expect(await (await restarted()).onState(older.frame, NOW)).toMatchObject({ kind: 'refused', code: 'checkpoint.rollback' });
  });

  it('another device’s membership is refused, and does not spoil the next', async () => {
    const state = open();
    await give(state, await published(7));
    const other = await stateFor(world, { ...FLEET, serial: 8 }, 2);
    expect(await state.onMembership(other.membership, NOW)).toMatchObject({ kind: 'refused', code: 'member.identity' });
    const bad = await published(9, MOVED, { policyKey: keyNamed('thief') });
    expect(await state.onState(bad.frame, NOW)).toEqual({ kind: 'waiting' });
    expect(await state.onMembership(bad.membership, NOW)).toMatchObject({ kind: 'refused', code: 'jws.key' });
    expect(await state.onMembership((await published(10)).membership, NOW)).toMatchObject({ kind: 'accepted' });
  });
});

describe('what is on disk', () => {
  /** Two states one after the other, so that there are two slots. */
  const seeded = async (): Promise<void> => {
    const state = open();
    await give(state, await published(7));
    await give(state, await published(8, MOVED));
    expect(files()).toEqual(['ratchet.json', 'state-a.json', 'state-b.json', 'trial.json']);
  };

  it('any changed byte of any file loosens nothing: what loads is what was accepted last, or nothing', async () => {
    await seeded();
    const originals = new Map(files().map((name) => [name, fs.readFileSync(path.join(folder, name))]));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...originals.keys()), fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, at, difference) => {
        for (const [file, bytes] of originals) fs.writeFileSync(path.join(folder, file), bytes);
        const bytes = Buffer.from(originals.get(name) ?? '');
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ difference;
        fs.writeFileSync(path.join(folder, name), bytes);
        const state = await restarted();
        expect([undefined, 8]).toContain(state.current(NOW)?.serial);
        expect(state.problems()).not.toEqual([]);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    );
  });

  it('a damaged newest state is told, and the older one is no way back', async () => {
    await seeded();
    const newest = files().find((name) => fs.readFileSync(path.join(folder, name), 'utf8').includes('coh_lax')) ?? '';
    fs.writeFileSync(path.join(folder, newest), fs.readFileSync(path.join(folder, newest), 'utf8').replace('/srv', '/opt'));
    const state = await restarted();
    expect(state.current(NOW)).toBe(undefined);
    expect(
      state
        .problems()
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['bundle.digest', 'checkpoint.rollback']);
    expect(await give(state, await published(9, MOVED))).toContainEqual(expect.objectContaining({ kind: 'accepted' }));
  });

  it('one damaged slot beside a good one is told, and the good one is in force', async () => {
    await seeded();
    const older = files().find((name) => fs.readFileSync(path.join(folder, name), 'utf8').includes('"coh_strict","cohortIndex"')) ?? '';
    fs.truncateSync(path.join(folder, older), 100);
    const state = await restarted();
    expect(reads(state)).toBe(LAX);
    expect(state.problems().map(({ code }) => code)).toEqual(['state.slot-damaged']);
    expect(said.join()).toContain('state.slot-damaged');
  });

  it('without its ratchet nothing is in force until the control plane has sent its state', async () => {
    await seeded();
    fs.writeFileSync(path.join(folder, 'ratchet.json'), '{"epoch":0');
    const state = await restarted();
    expect(state.current(NOW)).toBe(undefined);
    expect(state.problems().map(({ code }) => code)).toEqual(['state.ratchet-damaged']);
    expect(await state.onMembership((await published(7)).membership, NOW)).toEqual({ kind: 'waiting' });
    // What is stored is not in force, but nothing older comes in.
    expect(await state.onState((await published(7)).frame, NOW)).toMatchObject({ kind: 'refused', code: 'checkpoint.rollback' });
    await give(state, await published(9));
    expect(reads(await restarted())).toBe(STRICT);
  });

  it('a damaged ratchet stays to be seen as long as nothing is accepted, however much time is written down', async () => {
    await seeded();
    fs.writeFileSync(path.join(folder, 'ratchet.json'), '{"epoch":0');
    for (const name of ['state-a.json', 'state-b.json']) fs.rmSync(path.join(folder, name), { force: true });
    let passed = 0;
    const state = openState(folder, { log: (line) => void said.push(line), elapsed: () => passed });
    await state.load(NOW);
    passed = 10 * 60_000;
    await state.tend(NOW);
    expect((await restarted()).problems().map(({ code }) => code)).toEqual(['state.ratchet-damaged']);
    await give(state, await published(9));
    passed = 20 * 60_000;
    await state.tend(NOW);
    expect((await restarted()).problems()).toEqual([]);
  });

  it('that is gone, while the ratchet says that there was some, is told', async () => {
    await seeded();
    for (const name of ['state-a.json', 'state-b.json']) fs.rmSync(path.join(folder, name));
    const state = await restarted();
    expect(state.current(NOW)).toBe(undefined);
    expect(state.problems().map(({ code }) => code)).toEqual(['state.missing']);
    fs.rmSync(path.join(folder, 'ratchet.json'));
    // Then nothing here knows of it; the control plane does.
    expect((await restarted()).problems()).toEqual([]);
  });

  it('an older state put back with its files is refused by the ratchet', async () => {
    const state = open();
    await give(state, await published(8, MOVED));
    const old = fs.readFileSync(path.join(folder, 'state-a.json'));
    await give(state, await published(9));
    for (const name of ['state-a.json', 'state-b.json']) fs.writeFileSync(path.join(folder, name), old);
    expect((await restarted()).current(NOW)).toBe(undefined);
  });
});
