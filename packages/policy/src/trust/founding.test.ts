import { describe, expect, it } from 'vitest';
import { documentOf } from '../_small-world.ts';
import { firstRoot, nextRoot, signFloor, signRoot, type Founding } from './founding.ts';
import { verifyFloor } from './floor.ts';
import { keyPairFromSeed, type KeyPair } from './keys.ts';
import { rootFingerprint, verifyRootChain } from './root.ts';

const key = (n: number): KeyPair => keyPairFromSeed(Buffer.alloc(32, n));
const one = (n: number) => ({ threshold: 1, keys: [key(n).jwk] });
const NOW = new Date('2026-01-01T00:00:00.000Z');
const LATER = new Date('2027-01-01T00:00:00.000Z');
const founding: Founding = {
  org: 'org_1',
  expiresAt: LATER,
  roles: {
    root: { threshold: 2, keys: [key(1).jwk, key(2).jwk, key(3).jwk] },
    floor: one(4),
    approver: one(5),
    policy: one(6),
    checkpoint: one(7),
    identity: one(8),
  },
};

describe('the founding of an organisation', () => {
  it('gives a root that verifies by any two of its three keys, and by none alone', async () => {
    for (const signers of [
      [1, 2],
      [2, 3],
      [1, 3],
    ].map((pair) => pair.map(key))) {
      const root = await signRoot(firstRoot(founding), signers);
      expect((await verifyRootChain([root], rootFingerprint(root), NOW)).document.org).toBe('org_1');
    }
    const alone = await signRoot(firstRoot(founding), [key(1)]);
    await expect(verifyRootChain([alone], rootFingerprint(alone), NOW)).rejects.toMatchObject({ code: 'root.threshold' });
  });

  it('goes on by roots that the one before has signed: another online key, a lost share, a raised epoch', async () => {
    const first = firstRoot(founding);
    const rotated = nextRoot(first, { role: 'checkpoint', keys: one(17), expiresAt: LATER });
    const reshared = nextRoot(rotated, {
      role: 'root',
      keys: { threshold: 2, keys: [key(1).jwk, key(2).jwk, key(13).jwk] },
      expiresAt: LATER,
    });
    const raised = nextRoot(reshared, { raiseEpoch: true, expiresAt: LATER });
    const chain = [
      await signRoot(first, [key(1), key(2)]),
      await signRoot(rotated, [key(1), key(3)]),
      await signRoot(reshared, [key(1), key(2)]),
      await signRoot(raised, [key(2), key(13)]),
    ];
    const fingerprint = rootFingerprint(chain[0] ?? '');
    const { document } = await verifyRootChain(chain, fingerprint, NOW);
    expect([document.version, document.epoch, document.roles.checkpoint.keys]).toEqual([4, 1, [key(17).jwk]]);
    // The lost share signs nothing any more.
    const stolen = await signRoot(nextRoot(raised, { raiseEpoch: true, expiresAt: LATER }), [key(1), key(3)]);
    await expect(verifyRootChain([...chain, stolen], fingerprint, NOW)).rejects.toMatchObject({ code: 'root.threshold' });
  });

  it('signs a floor that narrows, and none that grants', async () => {
    const root = await signRoot(firstRoot(founding), [key(1), key(2)]);
    const trusted = await verifyRootChain([root], rootFingerprint(root), NOW);
    const floor = await signFloor('org_1', 1, documentOf('floor', { limit: { resources: { timeout: '7d' } } }), [key(4)]);
    expect((await verifyFloor(floor, trusted)).version).toBe(1);
    expect(() => signFloor('org_1', 1, documentOf('floor', { allow: {} }), [key(4)])).toThrow(
      expect.objectContaining({ code: 'floor.allow' }),
    );
  });
});
