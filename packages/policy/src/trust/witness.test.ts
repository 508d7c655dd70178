import { describe, expect, it } from 'vitest';
import { codeOf } from './_refusal.ts';
import { createWorld, FLEET, keyNamed, keysFor, payloadDigest, rolesWithWitnesses, stateFor } from './_world.ts';
import { chainOf } from './_chain.ts';
import { signCompact } from './envelope.ts';
import { verifyRootChain } from './root.ts';
import { verifyState, type StateInput } from './verify.ts';
import { cosign, openCosignature, requireWitnesses, witnessesOf, type WitnessPayload } from './witness.ts';

const [link] = chainOf(1);
if (link === undefined) throw new Error('no checkpoint');
const { payload, digest } = link;
const witnesses = keysFor('org_a', 'witness');
const [one, two, three] = witnesses as [(typeof witnesses)[0], (typeof witnesses)[0], (typeof witnesses)[0]];
const keys = new Map(witnesses.map(({ kid, jwk }) => [kid, jwk]));
const thief = keyNamed('thief');

describe('a cosignature', () => {
  const said: WitnessPayload = { format: 'cordon-witness/1', org: 'org_a', epoch: 3, serial: 0, checkpoint: digest };
  const open = (change: object = {}, by = one): Promise<string> =>
    codeOf(async () => openCosignature(await signCompact({ ...said, ...change }, 'cordon-witness+jws', by), digest, payload, keys));

  it('is of exactly one checkpoint, by a key that has the role', async () => {
    expect(await openCosignature(await cosign(payload, digest, two), digest, payload, keys)).toBe(two.kid);
    expect(await open()).toBe('accepted');
    expect(await open({}, thief)).toBe('jws.key');
  });

  it.each([
    ['another checkpoint', { checkpoint: 'a'.repeat(64) }, 'witness.other'],
    ['another organisation', { org: 'org_b' }, 'witness.other'],
    ['another epoch', { epoch: 4 }, 'witness.other'],
    ['another serial', { serial: 1 }, 'witness.other'],
    ['another format', { format: 'cordon-witness/2' }, 'witness.schema'],
    ['more than it should have', { at: 'now' }, 'witness.schema'],
    ['less', { checkpoint: undefined }, 'witness.schema'],
  ])('of %s is refused', async (_name, change, code) => expect(await open(change)).toBe(code));

  it('counts once a witness, whoever else signed beside it', async () => {
    const by = (...signers: readonly (typeof one)[]): Promise<string[]> =>
      Promise.all(signers.map((signer) => cosign(payload, digest, signer)));
    expect(await witnessesOf(await by(one, two, one, thief), digest, payload, keys)).toEqual(new Set([one.kid, two.kid]));
    expect(await witnessesOf([], digest, payload, keys)).toEqual(new Set());
    const [good = ''] = await by(one);
    const spoiled = `${good.slice(0, -4)}${good.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`;
    expect(await codeOf(() => witnessesOf([good, spoiled], digest, payload, keys))).toMatch(/^jws\.(signature|encoding)$/);
    expect(await codeOf(async () => witnessesOf([good, await cosign(payload, 'b'.repeat(64), two)], digest, payload, keys))).toBe(
      'witness.other',
    );
  });
});

describe('a root that demands two of three witnesses', async () => {
  const world = await createWorld('org_a', { roles: rolesWithWitnesses('org_a') });
  const given = (...signers: readonly (typeof one)[]): Promise<StateInput> => stateFor(world, FLEET, 0, { witnesses: signers });
  const verdict = async (input: StateInput | Promise<StateInput>): Promise<string> => codeOf(async () => verifyState(await input));

  it('is content with any two, on receipt and at load', async () => {
    for (const pair of [
      [one, two],
      [three, one],
      [one, two, three],
      [thief, two, three],
    ]) {
      expect(await verdict(given(...pair))).toBe('accepted');
      expect(await verdict({ ...(await given(...pair)), receipt: false })).toBe('accepted');
    }
  });

  it.each([true, false])('takes no state with fewer (on receipt: %s)', async (receipt) => {
    const verdictBy = async (...signers: readonly (typeof one)[]): Promise<string> => verdict({ ...(await given(...signers)), receipt });
    expect(await verdictBy()).toBe('checkpoint.witness');
    expect(await verdictBy(one)).toBe('checkpoint.witness');
    expect(await verdictBy(one, one)).toBe('checkpoint.witness');
    expect(await verdictBy(one, thief, keyNamed('another'))).toBe('checkpoint.witness');
    expect(await verdictBy(...keysFor('org_a', 'checkpoint'))).toBe('checkpoint.witness');
  });

  it('demands it of both checkpoints', async () => {
    const input = await given(one, two);
    const { witness: _frame, ...frame } = input.frame;
    const { witness: _membership, ...membership } = input.membership;
    expect(await verdict({ ...input, frame })).toBe('checkpoint.witness');
    expect(await verdict({ ...input, membership })).toBe('checkpoint.witness');
    const other = await stateFor(world, { ...FLEET, serial: 8 }, 0, { witnesses: [one, two] });
    expect(await verdict({ ...input, frame: { ...input.frame, witness: other.frame.witness ?? [] } })).toBe('witness.other');
    expect(await verdict({ ...input, membership: { ...input.membership, witness: other.membership.witness ?? [] } })).toBe('witness.other');
  });

  it('has cosignatures where nobody demands them do no harm, and says what is missing', async () => {
    const lenient = await createWorld('org_a');
    expect(await verdict(stateFor(lenient, FLEET, 0, { witnesses: [thief] }))).toBe('accepted');
    const root = await verifyRootChain(world.roots, world.fingerprint, new Date(0));
    await expect(requireWitnesses(link, undefined, root)).rejects.toMatchObject({
      code: 'checkpoint.witness',
      message: expect.stringContaining('2 witnesses cosign; 0 did') as unknown,
    });
    const { frame } = await given(one, two);
    expect(payloadDigest(frame.checkpoint)).toHaveLength(64);
  });
});
