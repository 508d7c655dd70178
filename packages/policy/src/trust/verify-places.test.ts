/**
 * Steps 3 and 4 of `verifyState`: the places of device and cohort, and attacks that are made of honest parts. Each demand has its own case, in which nothing
 * but that demand stands in the way.
 */
import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { after, createWorld, DAY, FLEET, ISSUED, keysFor, rootDocument, stateFor, type Fleet, type Forgery } from './_world.ts';
import { CHECKPOINT_LIFETIME_MS } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { signGeneral } from './envelope.ts';
import { verifyState, type StateInput } from './verify.ts';

const world = await createWorld('org_a');
const honest = await stateFor(world, FLEET, 0);
const outcome = (input: StateInput): Promise<string> => codeOf(() => verifyState(input));
const given = (change: Partial<StateInput>): Promise<string> => outcome({ ...honest, ...change });
const forged = async (forgery: Forgery): Promise<string> => outcome(await stateFor(world, FLEET, 0, forgery));

describe('step 3: the place of the device', () => {
  it.each<readonly [why: string, change: NonNullable<Forgery['memberLeaf']>]>([
    ['another organisation', (leaf) => ({ ...leaf, org: 'org_b' })],
    ['another device', (leaf) => ({ ...leaf, device: 'dev_1' })],
    ['another place', (leaf) => ({ ...leaf, index: 1 })],
  ])('of %s is refused, though the leaf is in the tree', async (_why, memberLeaf) => {
    expect(await forged({ memberLeaf })).toBe('member.identity');
  });

  it("with another device's leaf and proof is refused", async () => {
    expect(await given({ membership: (await stateFor(world, FLEET, 1)).membership })).toBe('member.identity');
    expect(await given({ device: { ...honest.device, id: 'dev_1' } })).toBe('member.identity');
    expect(await given({ device: { ...honest.device, memberIndex: 2 } })).toBe('member.identity');
  });

  it('at a second leaf for the same device is refused: a device knows its place', async () => {
    const doubled: Fleet = { ...FLEET, devices: [...FLEET.devices, { id: 'dev_0', cohort: 1 }] };
    const second = await stateFor(world, doubled, 5);
    expect(await outcome(second)).toBe('accepted');
    expect(await outcome({ ...second, device: honest.device })).toBe('member.identity');
    // Nor does the leaf say that it stands where the device looks: then the tree does not hold it there.
    const lying = await stateFor(world, doubled, 5, { memberLeaf: (leaf) => ({ ...leaf, index: 0 }) });
    expect(await outcome({ ...lying, device: honest.device })).toBe('member.proof');
  });

  it('is refused when leaf, proof, size or root are of another tree', async () => {
    const { member } = honest.membership;
    const moved: Fleet = { ...FLEET, devices: FLEET.devices.map((device) => ({ ...device, cohort: 1 - device.cohort })) };
    const other = await stateFor(world, moved, 0);
    const membership = (change: object): Promise<string> =>
      given({ membership: { ...honest.membership, member: { ...member, ...change } } });
    expect(await membership({ leaf: { ...member.leaf, cohort: 'coh_lax', cohortIndex: 1 } })).toBe('member.proof');
    expect(await membership({ proof: other.membership.member.proof })).toBe('member.proof');
    expect(await membership({ proof: [] })).toBe('member.proof');
    expect(await given({ membership: { ...honest.membership, member: other.membership.member } })).toBe('member.proof');
    expect(await given({ membership: { ...other.membership, member } })).toBe('member.proof');
    expect(await forged({ memberCheckpoint: (payload) => ({ ...payload, members: { ...payload.members, size: 0 } }) })).toBe(
      'member.proof',
    );
    expect(await forged({ memberCheckpoint: (payload) => ({ ...payload, members: payload.cohorts }) })).toBe('member.proof');
  });
});

describe("step 4: the cohort's place", () => {
  it.each<readonly [why: string, change: NonNullable<Forgery['cohortLeaf']>]>([
    ['another organisation', (leaf) => ({ ...leaf, org: 'org_b' })],
    ['another cohort', (leaf) => ({ ...leaf, cohort: 'coh_lax' })],
    ['another place', (leaf) => ({ ...leaf, index: 1 })],
  ])('of %s is refused, though the leaf is in the tree', async (_why, cohortLeaf) => {
    expect(await forged({ cohortLeaf })).toBe('cohort.identity');
  });

  it('of another cohort with its own bundle is refused', async () => {
    expect(await given({ frame: (await stateFor(world, FLEET, 1)).frame })).toBe('cohort.identity');
  });

  it('is refused when leaf, proof or root are of another tree', async () => {
    const { cohort } = honest.frame;
    const next = await stateFor(world, { ...FLEET, cohorts: FLEET.cohorts.map((entry) => ({ ...entry, serial: 1 })) }, 0);
    const frame = (change: object): Promise<string> => given({ frame: { ...honest.frame, ...change } });
    expect(await frame({ cohort: { ...cohort, leaf: { ...cohort.leaf, digest: sha256Hex('lax') } } })).toBe('cohort.proof');
    expect(await frame({ cohort: { ...cohort, leaf: { ...cohort.leaf, serial: 4 } } })).toBe('cohort.proof');
    expect(await frame({ cohort: { ...cohort, proof: [] } })).toBe('cohort.proof');
    expect(await frame({ cohort: next.frame.cohort })).toBe('cohort.proof');
    expect(await frame({ checkpoint: next.frame.checkpoint })).toBe('cohort.proof');
    expect(await forged({ checkpoint: (payload) => ({ ...payload, cohorts: payload.members }) })).toBe('cohort.proof');
  });

  it('that changed after its own checkpoint is refused', async () => {
    expect(await forged({ cohortLeaf: (leaf) => ({ ...leaf, serial: 7 }) })).toBe('accepted');
    expect(await forged({ cohortLeaf: (leaf) => ({ ...leaf, serial: 8 }) })).toBe('cohort.serial');
  });
});

describe('attacks that are made of honest parts', () => {
  const moved: Fleet = { ...FLEET, serial: 8, at: after(300_000), devices: FLEET.devices.map(({ id }) => ({ id, cohort: 0 })) };

  it('a membership that is withheld makes the device stale when that membership ends, and a newer one cannot be taken back', async () => {
    const [lax, strict] = [await stateFor(world, FLEET, 1), await stateFor(world, moved, 1)];
    const { frame } = await stateFor(world, { ...FLEET, serial: 8, at: after(300_000) }, 1);
    const kept = await verifyState({ ...lax, frame, now: after(360_000) });
    expect([kept.cohort, kept.staleAt]).toEqual(['coh_lax', after(CHECKPOINT_LIFETIME_MS)]);
    const { ratchet } = await verifyState(strict);
    expect(await outcome({ ...lax, frame, ratchet, now: after(360_000) })).toBe('checkpoint.rollback');
  });

  it('the bundle of the old cohort does not pass under the membership of the new one', async () => {
    const [lax, strict] = [await stateFor(world, FLEET, 1), await stateFor(world, moved, 1)];
    expect(await outcome({ ...strict, frame: lax.frame })).toBe('cohort.identity');
  });

  it('a raised epoch makes everything before it void', async () => {
    const v2 = await signGeneral(rootDocument('org_a', { version: 2, epoch: 4 }), 'cordon-root+jws', keysFor('org_a', 'root').slice(0, 2));
    expect(await given({ roots: [...world.roots, v2] })).toBe('checkpoint.epoch');
    expect(await given({ roots: [...world.roots, v2], ratchet: { epoch: 4, serial: 1, member: 1 } })).toBe('checkpoint.rollback');
  });

  it('a clock that goes back within the life of a checkpoint brings nothing older back', async () => {
    const newer = await verifyState(await stateFor(world, { ...FLEET, serial: 8, at: after(DAY) }, 0));
    expect(await given({ ratchet: newer.ratchet, now: ISSUED })).toBe('checkpoint.rollback');
  });
});
