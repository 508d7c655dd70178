import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RootsFrame } from '@cordon/policy/protocol/channel.ts';
import { after, DAY, floorPayload, keyNamed, keysFor, policyDocument } from '@cordon/policy/trust/_world.ts';
import { nextRoot, signFloor, signRoot } from '@cordon/policy/trust/founding.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { enrollment, give, makeFolder, openState, published, removeFolder, world } from './_device.ts';
import type { PolicyState } from './policy-state.ts';

const NOW = after(60_000);
const NEW_KEY = keyNamed('rotated checkpoint key');
const rootKeys = keysFor(world.org, 'root');
const rotated = nextRoot(world.root, { role: 'checkpoint', keys: { threshold: 1, keys: [NEW_KEY.jwk] }, expiresAt: after(400 * DAY) });
const frameOf = async (signers = rootKeys.slice(0, 2), change: Partial<RootsFrame> = {}): Promise<RootsFrame> => ({
  type: 'roots',
  after: 1,
  roots: [await signRoot(rotated, signers)],
  floor: world.floor,
  ...change,
});

let folder: string;
let kept: Enrollment[];
const open = (from: Enrollment = enrollment): PolicyState =>
  openState(folder, { enrollment: from, keep: (newer) => void kept.push(newer) });
beforeEach(() => {
  folder = makeFolder();
  kept = [];
});
afterEach(() => removeFolder(folder));
const outcomes = async (state: PolicyState, halves: Awaited<ReturnType<typeof published>>): Promise<readonly string[]> =>
  (await give(state, halves, NOW)).map((outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind));
const byNewKey = (serial: number) => published(serial, {}, { checkpointKey: NEW_KEY });

describe('newer roots', () => {
  it('are followed: what the rotated key signs is accepted, what the old one signs is not', async () => {
    const state = open();
    expect(await outcomes(state, await published(7))).toEqual(['waiting', 'accepted']);
    expect(await state.onRoots(await frameOf(), NOW)).toBeUndefined();
    expect(await outcomes(state, await byNewKey(8))).toEqual(['waiting', 'accepted']);
    expect(state.current(NOW)?.serial).toBe(8);
    expect(await outcomes(state, await published(9))).toContain('jws.key');
    expect(state.current(NOW)?.serial).toBe(8);
  });

  it('are kept with the first state that they verify, and hold after a restart', async () => {
    const state = open();
    await state.onRoots(await frameOf(), NOW);
    expect(kept).toEqual([]);
    await give(state, await byNewKey(8), NOW);
    expect(kept.map(({ roots }) => roots.length)).toEqual([2]);
    const restarted = open(kept[0]);
    expect((await restarted.load(NOW))?.serial).toBe(8);
    expect(restarted.trusted().roots).toHaveLength(2);
  });

  it('change nothing that is in force by themselves, and a state that they do not verify leaves the old one', async () => {
    const state = open();
    await give(state, await published(7), NOW);
    await state.onRoots(await frameOf(), NOW);
    expect(state.current(NOW)?.serial).toBe(7);
    expect(await outcomes(state, await published(8))).toContain('jws.key');
    expect([state.current(NOW)?.serial, state.trusted().roots.length, kept]).toEqual([7, 1, []]);
  });

  it('are refused without the signatures of those before them', async () => {
    const state = open();
    const strangers = [keyNamed('x'), keyNamed('y')];
    expect(await state.onRoots(await frameOf(strangers), NOW)).toMatchObject({ code: 'root.threshold' });
    expect(await state.onRoots(await frameOf(rootKeys.slice(0, 1)), NOW)).toMatchObject({ code: 'root.threshold' });
    expect(await outcomes(state, await published(7))).toEqual(['waiting', 'accepted']);
  });

  it('are refused out of order, and so is a floor that is older or by other keys', async () => {
    const state = open();
    expect(await state.onRoots(await frameOf(undefined, { after: 2 }), NOW)).toMatchObject({ code: 'roots.order' });
    const floorKeys = keysFor(world.org, 'floor');
    const document = policyDocument('floor', { deny: { filesystem: { access: ['/srv/payroll', '/srv/more'] } } });
    const second = await signFloor(world.org, 2, document, floorKeys);
    expect(await state.onRoots({ type: 'roots', after: 1, roots: [], floor: second }, NOW)).toBeUndefined();
    await give(state, await published(7), NOW);
    expect(state.current(NOW)?.floor).toEqual(document);
    expect(await state.onRoots({ type: 'roots', after: 1, roots: [], floor: world.floor }, NOW)).toMatchObject({ code: 'floor.rollback' });
    const forged = await signFloor(world.org, 3, floorPayload(world.org).document, [keyNamed('x'), keyNamed('y')]);
    expect(await state.onRoots({ type: 'roots', after: 1, roots: [], floor: forged }, NOW)).toMatchObject({ code: 'floor.threshold' });
  });
});
