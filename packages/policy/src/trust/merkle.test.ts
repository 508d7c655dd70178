import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { codeOf } from './_refusal.ts';
import { leafHash, MerkleTree, verifyInclusion } from './merkle.ts';

// ---- RFC 9162 §2.1, as it is written: recursive, slow, obvious --------------------------------------------------------

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
/** The largest power of two smaller than n. */
const split = (n: number): number => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};
const rootOf = (leaves: readonly Uint8Array[]): Buffer => {
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), only);
  const k = split(leaves.length);
  return sha256(Uint8Array.of(1), rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
};
/** Each step from the leaf upwards: the sibling, and the side on which it stands. */
const pathOf = (m: number, leaves: readonly Uint8Array[]): { readonly sibling: Buffer; readonly side: 'left' | 'right' }[] => {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return m < k
    ? [...pathOf(m, leaves.slice(0, k)), { sibling: rootOf(leaves.slice(k)), side: 'right' }]
    : [...pathOf(m - k, leaves.slice(k)), { sibling: rootOf(leaves.slice(0, k)), side: 'left' }];
};
const sidesOf = (m: number, n: number): string =>
  pathOf(
    m,
    Array.from({ length: n }, () => Uint8Array.of(0)),
  )
    .map(({ side }) => side)
    .join();

// ----------------------------------------------------------------------------------------------------------------------

const leavesOf = (n: number): Buffer[] => Array.from({ length: n }, (_, i) => Buffer.from(`leaf ${i}`));
const treeOf = (leaves: readonly Uint8Array[]): MerkleTree => {
  const tree = new MerkleTree();
  leaves.forEach((leaf, index) => tree.set(index, leaf));
  return tree;
};
it('many leaves at once give the tree that one after the other give, and each node is right for every proof', () => {
  const batches = fc.array(fc.array(fc.tuple(fc.nat(60), fc.nat(3)), { maxLength: 40 }), { maxLength: 6 });
  fc.assert(
    fc.property(batches, (all) => {
      const [one, many] = [new MerkleTree(), new MerkleTree()];
      for (const batch of all) {
        let { size } = one;
        const leaves = batch.map(([at, value]): [number, Buffer] => {
          const index = Math.min(at, size);
          if (index === size) size += 1;
          return [index, Buffer.from(`${value}`)];
        });
        for (const [index, leaf] of leaves) one.set(index, leaf);
        many.setAll(leaves);
        expect([many.size, many.root()]).toEqual([one.size, one.root()]);
        for (let index = 0; index < size; index += 1) expect(many.proof(index)).toEqual(one.proof(index));
      }
    }),
    { numRuns: LAW_RUNS },
  );
});

it('a tree that is cut is the tree that never grew', () => {
  fc.assert(
    fc.property(fc.nat(70), fc.nat(70), fc.nat(3), (a, b, more) => {
      const [size, cut] = [Math.max(a, b), Math.min(a, b)];
      const tree = treeOf(leavesOf(size));
      tree.truncate(cut);
      const all = [...leavesOf(cut), ...leavesOf(more)];
      for (const leaf of leavesOf(more)) tree.set(tree.size, leaf);
      const fresh = treeOf(all);
      expect([tree.size, tree.root()]).toEqual([fresh.size, fresh.root()]);
      for (let index = 0; index < all.length; index += 1) expect(tree.proof(index)).toEqual(fresh.proof(index));
    }),
    { numRuns: LAW_RUNS },
  );
});

/** One honest claim: leaf, index, size, proof and root fit. */
const claimOf = (n: number, index: number): Parameters<typeof verifyInclusion>[0] => {
  const leaves = leavesOf(n);
  const tree = treeOf(leaves);
  return { leaf: leaves[index] ?? Buffer.alloc(0), index, size: n, proof: tree.proof(index), root: tree.root() };
};
const claim = fc.integer({ min: 1, max: 130 }).chain((n) => fc.integer({ min: 0, max: n - 1 }).map((index) => claimOf(n, index)));
const flipped = (hex: string, bit: number): string => {
  const bytes = Buffer.from(hex, 'hex');
  const at = bit % (bytes.length * 8);
  bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
  return bytes.toString('hex');
};

describe('the Merkle tree (RFC 9162 §2.1)', { timeout: LAW_TIMEOUT_MS }, () => {
  it('has the root of the reference for every size from 0 to 130, and a proof for every leaf', () => {
    for (let n = 0; n <= 130; n += 1) {
      const leaves = leavesOf(n);
      const tree = treeOf(leaves);
      expect([tree.size, tree.root()]).toEqual([n, rootOf(leaves).toString('hex')]);
      for (const index of new Set([0, 1, n >> 1, n - 2, n - 1].filter((i) => i >= 0 && i < n)))
        expect(tree.proof(index)).toEqual(pathOf(index, leaves).map(({ sibling }) => sibling.toString('hex')));
    }
  });

  it('has the root of the reference for every size from 0 to 300, and a proof for every leaf of it', () => {
    // The reference again, but each subtree is hashed once.
    const leaves = leavesOf(300);
    const known = new Map<string, Buffer>();
    const hashOf = (from: number, to: number): Buffer => {
      const name = `${from}-${to}`;
      const k = to - from < 2 ? 0 : split(to - from);
      const hash =
        known.get(name) ??
        (to - from === 0
          ? sha256()
          : to - from === 1
            ? sha256(Uint8Array.of(0), leaves[from] ?? Buffer.alloc(0))
            : sha256(Uint8Array.of(1), hashOf(from, from + k), hashOf(from + k, to)));
      known.set(name, hash);
      return hash;
    };
    const proofOf = (index: number, from: number, to: number): string[] => {
      if (to - from < 2) return [];
      const k = from + split(to - from);
      return index < k
        ? [...proofOf(index, from, k), hashOf(k, to).toString('hex')]
        : [...proofOf(index, k, to), hashOf(from, k).toString('hex')];
    };
    const tree = new MerkleTree();
    for (let n = 0; n <= 300; n += 1) {
      expect([tree.size, tree.root()]).toEqual([n, hashOf(0, n).toString('hex')]);
      for (let index = 0; index < n; index += 1) {
        const proof = tree.proof(index);
        expect(proof).toEqual(proofOf(index, 0, n));
        if ((index + n) % 7 === 0)
          expect(verifyInclusion({ leaf: leaves[index] ?? Buffer.alloc(0), index, size: n, proof, root: tree.root() })).toBe(true);
      }
      if (n < 300) tree.set(n, leaves[n] ?? Buffer.alloc(0));
    }
  });

  it('updated in place is the tree that was made anew, at every size from 1 to 300', () => {
    const fresh = (n: number, replaced: number): MerkleTree =>
      treeOf(leavesOf(n).map((leaf, index) => (index === replaced ? Buffer.from('another') : leaf)));
    for (let n = 1; n <= 300; n += 1) {
      const index = [0, n - 1, Math.floor(n * 0.382), Math.floor(n * 0.618)][n % 4] ?? 0;
      const tree = treeOf(leavesOf(n));
      const before = tree.root();
      tree.set(index, Buffer.from('another'));
      expect(tree.root()).toBe(fresh(n, index).root());
      tree.set(index, Buffer.from(`leaf ${index}`));
      expect(tree.root()).toBe(before);
    }
  });

  it('has the published roots of the certificate transparency test data', () => {
    const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) =>
      Buffer.from(hex, 'hex'),
    );
    expect(treeOf([]).root()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(treeOf(leaves.slice(0, 1)).root()).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(treeOf(leaves).root()).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  it('stays equal to the reference through any sequence of replacements and appends', () => {
    const step = fc.record({ at: fc.nat(), leaf: fc.uint8Array({ maxLength: 40 }), append: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.array(step, { maxLength: 30 }), (n, steps) => {
        const leaves: Uint8Array[] = leavesOf(n);
        const tree = treeOf(leaves);
        for (const { at, leaf, append } of steps) {
          const index = append ? leaves.length : at % (leaves.length + 1);
          leaves[index] = leaf;
          tree.set(index, leaf);
        }
        expect([tree.size, tree.root()]).toEqual([leaves.length, rootOf(leaves).toString('hex')]);
        leaves.forEach((leaf, index) => {
          const proof = tree.proof(index);
          expect(proof).toEqual(pathOf(index, leaves).map(({ sibling }) => sibling.toString('hex')));
          expect(verifyInclusion({ leaf, index, size: leaves.length, proof, root: tree.root() })).toBe(true);
        });
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('tells a leaf from a node, so neither passes as the other', () => {
    const [left, right] = [leafHash(Buffer.from('a')), leafHash(Buffer.from('b'))];
    const inner = Buffer.concat([left, right]);
    expect(treeOf([inner]).root()).not.toBe(treeOf([Buffer.from('a'), Buffer.from('b')]).root());
  });

  it.each([-1, 2, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 53])(
    'refuses to set index %s in a tree of one',
    async (index) => {
      const tree = treeOf(leavesOf(1));
      expect(await codeOf(() => tree.set(index, Buffer.from('x')))).toBe('merkle.index');
      expect(tree.root()).toBe(rootOf(leavesOf(1)).toString('hex'));
    },
  );

  it.each([-1, 0.5, 2, Number.NaN, 2 ** 53])(
    'refuses to set index %s in a tree of one among others, or to cut it to that size',
    async (at) => {
      const tree = treeOf(leavesOf(1));
      expect(await codeOf(() => tree.setAll([[at, Buffer.from('x')]]))).toBe('merkle.index');
      expect(await codeOf(() => tree.truncate(at))).toBe('merkle.index');
      expect(tree.root()).toBe(rootOf(leavesOf(1)).toString('hex'));
    },
  );

  it.each([-1, 1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 32, 2 ** 53])(
    'has no proof for index %s in a tree of one',
    async (index) => {
      expect(await codeOf(() => treeOf(leavesOf(1)).proof(index))).toBe('merkle.index');
    },
  );

  it('has no proof in an empty tree', async () => {
    expect(await codeOf(() => new MerkleTree().proof(0))).toBe('merkle.index');
  });
});

describe('an inclusion proof', { timeout: LAW_TIMEOUT_MS }, () => {
  it('verifies at exactly its own index', () => {
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 64, 65, 100]) {
      for (let index = 0; index < n; index += 1) {
        const honest = claimOf(n, index);
        const accepted = Array.from({ length: n }, (_, i) => i).filter((i) => verifyInclusion({ ...honest, index: i }));
        expect(accepted).toEqual([index]);
      }
    }
  });

  // The proof alone does not fix the size: another size under which the path has the same turns gives the same root. That is why size and root are signed together.
  it('verifies for another size only where the path to the index has the same turns', () => {
    fc.assert(
      fc.property(claim, fc.integer({ min: 0, max: 260 }), (honest, size) => {
        const sameTurns = honest.index < size && sidesOf(honest.index, size) === sidesOf(honest.index, honest.size);
        expect(verifyInclusion({ ...honest, size })).toBe(sameTurns);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('fails with any bit of the leaf, a sibling or the root changed', () => {
    fc.assert(
      fc.property(claim, fc.nat(), fc.nat(), (honest, which, bit) => {
        expect(verifyInclusion(honest)).toBe(true);
        const leaf = Buffer.from(flipped(Buffer.from(honest.leaf).toString('hex'), bit), 'hex');
        expect(verifyInclusion({ ...honest, leaf })).toBe(false);
        expect(verifyInclusion({ ...honest, root: flipped(honest.root, bit) })).toBe(false);
        if (honest.proof.length === 0) return;
        const proof = honest.proof.map((sibling, i) => (i === which % honest.proof.length ? flipped(sibling, bit) : sibling));
        expect(verifyInclusion({ ...honest, proof })).toBe(false);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('fails with a sibling left out, put in, repeated or moved', () => {
    fc.assert(
      fc.property(claim, fc.nat(), (honest, at) => {
        const { proof } = honest;
        const place = at % (proof.length + 1);
        const wrong = [
          proof.toSpliced(place, 0, honest.root),
          [...proof, ...proof, honest.root],
          ...(proof.length > 0 ? [proof.toSpliced(place % proof.length, 1), proof.toSpliced(place, 0, proof[0] ?? '')] : []),
          ...(proof.length > 1 ? [[...proof.slice(1), proof[0] ?? '']] : []),
        ];
        for (const other of wrong) expect(verifyInclusion({ ...honest, proof: other })).toBe(false);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('that goes on above the root proves nothing: a child of the root is no leaf of a tree of one', () => {
    const [left, right] = leavesOf(2).map((leaf) => leafHash(leaf).toString('hex')) as [string, string];
    const root = treeOf(leavesOf(2)).root();
    for (const [leaf, sibling] of [
      ['leaf 1', left],
      ['leaf 0', right],
    ] as const)
      expect(verifyInclusion({ leaf: Buffer.from(leaf), index: 0, size: 1, proof: [sibling], root })).toBe(false);
  });

  it('has one spelling: 64 lower-case hex digits a hash', () => {
    const honest = claimOf(6, 3);
    const [sibling = '', ...others] = honest.proof;
    for (const spelling of [
      sibling.toUpperCase(),
      `${sibling}00`,
      `${sibling}zz`,
      `${sibling}\n`,
      ` ${sibling}`,
      sibling.slice(2),
      '',
      'z'.repeat(64),
    ])
      expect(verifyInclusion({ ...honest, proof: [spelling, ...others] })).toBe(false);
    expect(verifyInclusion({ ...honest, root: honest.root.toUpperCase() })).toBe(false);
  });

  it.each<readonly [index: number, size: number]>([
    [-1, 4],
    [4, 4],
    [5, 4],
    [0.5, 4],
    [Number.NaN, 4],
    [Number.POSITIVE_INFINITY, 4],
    [Number.NEGATIVE_INFINITY, 4],
    [2 ** 31, 4],
    [2 ** 53, 2 ** 54],
    [0, 0],
    [0, -1],
    [0, Number.NaN],
    [0, Number.POSITIVE_INFINITY],
    [0, 3.5],
    [2 ** 32, 2 ** 32 + 4],
    [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER],
  ])('fails at index %s of size %s', (index, size) => {
    for (const own of [0, 3]) expect(verifyInclusion({ ...claimOf(4, own), index, size })).toBe(false);
  });

  it('keeps every bit of an index above 32 bits', () => {
    // In a tree of 2^33 + 1 leaves the last one stands alone at the top right: one sibling, the root of all others.
    const all = leafHash(Buffer.from('stands for the other 2^33 leaves'));
    const leaf = Buffer.from('last');
    const root = sha256(Uint8Array.of(1), all, leafHash(leaf)).toString('hex');
    const honest = { leaf, index: 2 ** 33, size: 2 ** 33 + 1, proof: [all.toString('hex')], root };
    expect(verifyInclusion(honest)).toBe(true);
    expect(verifyInclusion({ ...honest, index: 0 })).toBe(false);
    expect(verifyInclusion({ ...honest, index: 2 ** 32 })).toBe(false);
  });
});
