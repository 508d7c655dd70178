import { describe, expect, it } from 'vitest';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { createTrustFrames } from './trust-frames.ts';

const roots = Array.from({ length: 20 }, (_, i) => `root ${i + 1}`);
const { newerThan } = createTrustFrames({ roots, floor: 'floor' });
const floor = sha256Hex('floor');

describe('what a device lacks of roots and floor', () => {
  it('is nothing when it holds them', () => expect(newerThan({ roots: 20, floor })).toBeUndefined());

  it('is the roots after its own, and the floor', () => {
    expect(newerThan({ roots: 18, floor })).toEqual({ type: 'roots', after: 18, roots: ['root 19', 'root 20'], floor: 'floor' });
    expect(newerThan({ roots: 1, floor })?.roots).toHaveLength(19);
  });

  it('is the floor alone when only that is another', () =>
    expect(newerThan({ roots: 20, floor: sha256Hex('old') })).toMatchObject({ after: 20, roots: [], floor: 'floor' }));

  it('is nothing for a claim that cannot be', () => {
    expect(newerThan({ roots: 21, floor })).toBeUndefined();
    expect(newerThan({ roots: 0, floor })).toBeUndefined();
  });
});
