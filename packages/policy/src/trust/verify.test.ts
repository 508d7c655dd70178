/** Steps 1 and 2 of `verifyState`: root, floor, checkpoints. Each demand has its own case, in which nothing but that demand stands in the way. */
import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { after, contentOf, createWorld, FLEET, keysFor, stateFor, type Forgery } from './_world.ts';
import { bundleBytes } from './bundle.ts';
import { CHECKPOINT_LIFETIME_MS, EXPIRED_AFTER_MS } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { signGeneral } from './envelope.ts';
import { verifyState, type StateInput } from './verify.ts';

const world = await createWorld('org_a');
const honest = await stateFor(world, FLEET, 0);
const [policyKey, checkpointKey] = [keysFor('org_a', 'policy')[0], keysFor('org_a', 'checkpoint')[0]];
if (policyKey === undefined || checkpointKey === undefined) throw new Error('no keys');

const outcome = (input: StateInput): Promise<string> => codeOf(() => verifyState(input));
const given = (change: Partial<StateInput>): Promise<string> => outcome({ ...honest, ...change });
const forged = async (forgery: Forgery, change: Partial<StateInput> = {}): Promise<string> =>
  outcome({ ...(await stateFor(world, FLEET, 0, forgery)), ...change });
/** The same change to the checkpoint of the state and to that of the membership: each is refused for it alone. */
const eachCheckpoint = async (change: NonNullable<Forgery['checkpoint']>, input: Partial<StateInput> = {}): Promise<string[]> => [
  await forged({ checkpoint: change }, input),
  await forged({ memberCheckpoint: change }, input),
];
const twice = (code: string): string[] => [code, code];

describe('an honest state', () => {
  it.each(FLEET.devices.map(({ id, cohort }, index) => [id, index, cohort] as const))('is accepted by %s', async (_id, index, cohort) => {
    const state = await verifyState(await stateFor(world, FLEET, index));
    const { id, content } = FLEET.cohorts[cohort] ?? { id: '', content: contentOf() };
    expect(state).toMatchObject({
      epoch: 3,
      serial: 7,
      ratchet: { epoch: 3, serial: 7, member: 7 },
      digest: sha256Hex(bundleBytes(content)),
      cohort: id,
      content,
      freshness: 'current',
      staleAt: after(CHECKPOINT_LIFETIME_MS),
      expiresAt: after(CHECKPOINT_LIFETIME_MS + EXPIRED_AFTER_MS),
    });
    expect(state.floor.metadata.name).toBe('floor');
    expect(state.prepared).toHaveLength(content.policies.length);
  });

  it('is accepted again under the ratchet that it set, and under either online key of its role', async () => {
    const { ratchet } = await verifyState(honest);
    expect(await given({ ratchet })).toBe('accepted');
    const [, nextPolicy] = keysFor('org_a', 'policy');
    const [, nextCheckpoint] = keysFor('org_a', 'checkpoint');
    expect(await forged({ policyKey: nextPolicy ?? policyKey, checkpointKey: nextCheckpoint ?? checkpointKey })).toBe('accepted');
  });

  it('names the hash of its newer checkpoint, by which two histories are told apart', async () => {
    const newer = await stateFor(world, { ...FLEET, serial: 9 }, 0);
    const payloadHash = (jws: string): string => sha256Hex(Buffer.from(jws.split('.')[1] ?? '', 'base64url'));
    expect((await verifyState({ ...honest, membership: newer.membership })).checkpointDigest).toBe(
      payloadHash(newer.membership.checkpoint),
    );
    expect((await verifyState({ ...honest, frame: newer.frame })).checkpointDigest).toBe(payloadHash(newer.frame.checkpoint));
  });

  it('moves each ratchet by its own checkpoint', async () => {
    const newer = await stateFor(world, { ...FLEET, serial: 9 }, 0);
    expect((await verifyState({ ...honest, membership: newer.membership })).ratchet).toEqual({ epoch: 3, serial: 7, member: 9 });
    expect((await verifyState({ ...honest, frame: newer.frame })).ratchet).toEqual({ epoch: 3, serial: 9, member: 7 });
  });
});

describe('step 1: the root and the floor', () => {
  const other = createWorld('org_b');

  it('another root is refused, though it signed everything', async () => {
    const { fingerprint } = world;
    const theirs = await stateFor(await other, FLEET, 0);
    expect(await outcome(theirs)).toBe('accepted');
    expect(await outcome({ ...theirs, fingerprint })).toBe('root.fingerprint');
  });

  it('a root of another organisation than the device joined is refused', async () => {
    expect(await given({ device: { ...honest.device, org: 'org_b' } })).toBe('root.org');
    const theirs = await stateFor(await other, FLEET, 0);
    expect(await outcome({ ...theirs, device: honest.device })).toBe('root.org');
  });

  it('an expired root is refused on receipt; at load the state is kept and called expired', async () => {
    const ending = await createWorld('org_a', { expiresAt: after(30_000).toISOString() });
    const input = await stateFor(ending, FLEET, 0);
    expect(await outcome(input)).toBe('root.expired');
    const { freshness, expiresAt } = await verifyState({ ...input, receipt: false });
    expect([freshness, expiresAt]).toEqual(['expired', after(30_000)]);
  });

  it('a floor of another organisation, of too few keys, or none is refused', async () => {
    expect(await given({ floor: (await other).floor })).toBe('floor.threshold');
    const { payload, signatures } = JSON.parse(world.floor) as { payload: string; signatures: object[] };
    expect(await given({ floor: JSON.stringify({ payload, signatures: signatures.slice(1) }) })).toBe('floor.threshold');
    expect(await given({ floor: '' })).toBe('json.refused');
  });

  it('a floor that allows is refused', async () => {
    const floor = { format: 'cordon-floor/1', org: 'org_a', version: 1, document: contentOf(['floor', 1, '/']).policies[0]?.document };
    expect(await given({ floor: await signGeneral(floor, 'cordon-floor+jws', keysFor('org_a', 'floor')) })).toBe('floor.allow');
  });
});

describe('step 2: the checkpoints', () => {
  it('signed by a key of another role are refused', async () => {
    expect(await forged({ checkpointKey: policyKey })).toBe('jws.key');
    expect(await forged({ checkpointKey: keysFor('org_b', 'checkpoint')[0] ?? policyKey })).toBe('jws.key');
    const foreign = await stateFor(world, FLEET, 0, { checkpointKey: policyKey });
    expect(await given({ membership: foreign.membership })).toBe('jws.key');
  });

  it.each<readonly [why: string, change: NonNullable<Forgery['checkpoint']>]>([
    ['an extra member', (payload) => ({ ...payload, note: 'x' })],
    ['an extra member deep inside', (payload) => ({ ...payload, members: { ...payload.members, depth: 3 } })],
    ['a missing member', (payload) => ({ ...payload, audit: undefined })],
    ['another format', (payload) => ({ ...payload, format: 'cordon-checkpoint/2' })],
    ['a broken serial', (payload) => ({ ...payload, serial: 7.5 })],
    ['a serial as text', (payload) => ({ ...payload, serial: '7' })],
    ['a serial beyond what can be counted', (payload) => ({ ...payload, serial: 2 ** 53 })],
    ['a negative epoch', (payload) => ({ ...payload, epoch: -1 })],
    ['a root in capitals', (payload) => ({ ...payload, cohorts: { ...payload.cohorts, root: 'A'.repeat(64) } })],
    ['an expiry that is no time', (payload) => ({ ...payload, expiresAt: '2026-03-01T99:99:99.999Z' })],
    ['an issue time without milliseconds', (payload) => ({ ...payload, issuedAt: '2026-03-01T12:00:00Z' })],
  ])('with %s are refused', async (_why, change) => {
    expect(await eachCheckpoint(change)).toEqual(twice('checkpoint.schema'));
  });

  it('of another organisation are refused', async () => {
    expect(await eachCheckpoint((payload) => ({ ...payload, org: 'org_b' }))).toEqual(twice('checkpoint.org'));
  });

  it('from more than ten minutes ahead are refused, on receipt and at load', async () => {
    const at =
      (ms: number): NonNullable<Forgery['checkpoint']> =>
      (payload) => ({
        ...payload,
        issuedAt: new Date(honest.now.getTime() + ms).toISOString(),
        expiresAt: new Date(honest.now.getTime() + ms + 60_000).toISOString(),
      });
    expect(await eachCheckpoint(at(600_000))).toEqual(twice('accepted'));
    expect(await eachCheckpoint(at(600_001))).toEqual(twice('checkpoint.future'));
    expect(await eachCheckpoint(at(600_001), { receipt: false })).toEqual(twice('checkpoint.future'));
  });

  it('are refused by a device whose clock says nothing', async () => {
    expect(await given({ now: new Date(Number.NaN), receipt: false })).toBe('checkpoint.future');
  });

  it('that would live longer than an hour are refused, on receipt and at load', async () => {
    const until =
      (ms: number): NonNullable<Forgery['checkpoint']> =>
      (payload) => ({ ...payload, expiresAt: after(ms).toISOString() });
    expect(await eachCheckpoint(until(4 * CHECKPOINT_LIFETIME_MS))).toEqual(twice('accepted'));
    expect(await eachCheckpoint(until(4 * CHECKPOINT_LIFETIME_MS + 1))).toEqual(twice('checkpoint.lifetime'));
    expect(await eachCheckpoint(until(4 * CHECKPOINT_LIFETIME_MS + 1), { receipt: false })).toEqual(twice('checkpoint.lifetime'));
  });

  it('that are over are refused on receipt, and stale at load', async () => {
    const until =
      (ms: number): NonNullable<Forgery['checkpoint']> =>
      (payload) => ({ ...payload, expiresAt: after(ms).toISOString() });
    expect(await eachCheckpoint(until(60_001))).toEqual(twice('accepted'));
    expect(await eachCheckpoint(until(60_000))).toEqual(twice('checkpoint.expired'));
    expect((await verifyState({ ...(await stateFor(world, FLEET, 0, { checkpoint: until(60_000) })), receipt: false })).freshness).toBe(
      'stale',
    );
  });

  it('older than what was accepted are refused, on receipt and at load, each by its own ratchet', async () => {
    for (const receipt of [true, false]) {
      expect(await given({ receipt, ratchet: { epoch: 3, serial: 8, member: 0 } })).toBe('checkpoint.rollback');
      expect(await given({ receipt, ratchet: { epoch: 3, serial: 0, member: 8 } })).toBe('checkpoint.rollback');
      expect(await given({ receipt, ratchet: { epoch: 4, serial: 0, member: 0 } })).toBe('checkpoint.rollback');
      expect(await given({ receipt, ratchet: { epoch: 3, serial: 7, member: 7 } })).toBe('accepted');
    }
  });

  it('of a newer epoch begin a new count, whatever the serial was', async () => {
    expect(await given({ ratchet: { epoch: 2, serial: Number.MAX_SAFE_INTEGER, member: Number.MAX_SAFE_INTEGER } })).toBe('accepted');
  });

  it('of another epoch than the root are refused: only the root raises it', async () => {
    expect(await eachCheckpoint((payload) => ({ ...payload, epoch: 4 }))).toEqual(twice('checkpoint.epoch'));
    const earlier = { ratchet: { epoch: 2, serial: 0, member: 0 } };
    expect(await eachCheckpoint((payload) => ({ ...payload, epoch: 2 }), earlier)).toEqual(twice('checkpoint.epoch'));
  });

  it('longer than a checkpoint may be are refused', async () => {
    expect(await eachCheckpoint((payload) => ({ ...payload, note: 'x'.repeat(8192) }))).toEqual(twice('jws.size'));
  });
});
