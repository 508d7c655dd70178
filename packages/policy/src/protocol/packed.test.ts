import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { createWorld, FLEET, stateFor } from '../trust/_world.ts';
import { verifyState } from '../trust/verify.ts';
import { StateFrame } from './channel.ts';
import { PackedState, packState, unpackState } from './packed.ts';

const Packed = Compile(PackedState);
const State = Compile(StateFrame);
const world = await createWorld('org_a');
const honest = await stateFor(world, FLEET, 0);
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

describe('a packed state', () => {
  it('comes back as the very frame, with its bundle, without, and with cosignatures', () => {
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 20 }), fc.boolean(), fc.array(fc.string(), { maxLength: 3 }), (proof, light, witness) => {
        const frame: StateFrame = {
          ...honest.frame,
          cohort: { ...honest.frame.cohort, proof },
          ...(light && { bundle: null }),
          ...(witness.length > 0 && { witness }),
        };
        const packed: unknown = JSON.parse(JSON.stringify(packState(frame)));
        expect(Packed.Check(packed)).toBe(true);
        expect(Packed.Check(packed) && unpackState(packed, 'org_a')).toEqual(frame);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is verified like any other: it gives what it gave before, and nothing in another organisation or with another bundle', async () => {
    const packed = packState(honest.frame);
    expect((await verifyState({ ...honest, frame: unpackState(packed, 'org_a') })).digest).toBe(honest.frame.cohort.leaf.digest);
    await expect(verifyState({ ...honest, frame: unpackState(packed, 'org_b') })).rejects.toThrow(/cohort/);
    const other = unpackState({ ...packed, bundle: `${packed.bundle ?? ''} ` }, 'org_a');
    await expect(verifyState({ ...honest, frame: other })).rejects.toThrow(/cohort/);
  });

  it('whatever it holds, becomes a frame that the verification refuses, or the same', async () => {
    const packed = packState(honest.frame);
    const names = ['checkpoint', 'manifest', 'proof', 'leaf', 'bundle'] as const;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.string({ unit: 'binary' }), fc.nat(2), async (name, text, at) => {
        const value =
          name === 'leaf'
            ? { ...packed.leaf, cohort: text }
            : name === 'proof' || name === 'bundle'
              ? text
              : packed[name].map((part, i) => (i === at ? text : part));
        const changed: unknown = { ...packed, [name]: value };
        if (!Packed.Check(changed)) return;
        const frame = unpackState(changed, 'org_a');
        if (!State.Check(frame)) return;
        const outcome = await verifyState({ ...honest, frame }).then(
          () => 'accepted',
          () => 'refused',
        );
        if (outcome === 'accepted') expect(frame).toEqual(honest.frame);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('compresses to much less than the frame does', () => {
    const size = (value: object): number => deflateRawSync(JSON.stringify(value)).length;
    expect(size(packState(honest.frame))).toBeLessThan(size(honest.frame) * 0.8);
  });
});
