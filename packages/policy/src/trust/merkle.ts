/** Merkle tree of RFC 9162 §2.1: leaves hashed with 0x00, nodes with 0x01, an unpaired node moves up as it is. Hashes are hex text. */
import { hash } from 'node:crypto';
import { CordonError } from '../errors.ts';
import { sha256Hex } from './digest.ts';

const digest = (prefix: number, ...parts: readonly Uint8Array[]): Buffer =>
  hash('sha256', Buffer.concat([Uint8Array.of(prefix), ...parts]), 'buffer');

/** Hash of an empty tree (RFC 9162 §2.1.1). */
const EMPTY = hash('sha256', '', 'buffer');

export const leafHash = (leaf: Uint8Array): Buffer => digest(0, leaf);
const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => digest(1, left, right);
/** The same where both are hex text: to walk up a proof. */
const nodeHex = (left: string, right: string): string => sha256Hex(Buffer.from(`01${left}${right}`, 'hex'));

/** A tree whose leaves can be replaced in place: setting one leaf or appending costs one hash per level. */
export class MerkleTree {
  readonly #levels: Buffer[][] = [[]];

  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  /** Puts a leaf at an index up to `size`; at `size` it is appended. */
  set(index: number, leaf: Uint8Array): void {
    if (!Number.isSafeInteger(index) || index < 0 || index > this.size)
      throw new CordonError('merkle.index', `index ${index} is not in 0..${this.size}`);
    let hash = leafHash(leaf);
    let at = index;
    for (let level = 0; ; level += 1) {
      const row = (this.#levels[level] ??= []);
      row[at] = hash;
      if (row.length === 1) {
        this.#levels.length = level + 1;
        return;
      }
      const left = row[at & ~1];
      const right = row[at | 1];
      if (left === undefined) throw new CordonError('merkle.index', 'the tree has a hole');
      hash = right === undefined ? left : nodeHash(left, right);
      at >>= 1;
    }
  }

  /** Puts many leaves, each as `set` would, and hashes every node above them once. */
  setAll(leaves: Iterable<readonly [index: number, leaf: Uint8Array]>): void {
    const bottom = (this.#levels[0] ??= []);
    let touched = new Set<number>();
    for (const [index, leaf] of leaves) {
      if (!Number.isSafeInteger(index) || index < 0 || index > bottom.length)
        throw new CordonError('merkle.index', `index ${index} is not in 0..${bottom.length}`);
      bottom[index] = leafHash(leaf);
      touched.add(index >> 1);
    }
    let row = bottom;
    for (let level = 1; row.length > 1; level += 1) {
      const above = (this.#levels[level] ??= []);
      const next = new Set<number>();
      for (const at of touched) {
        const [left, right] = [row[at * 2], row[at * 2 + 1]];
        if (left === undefined) throw new CordonError('merkle.index', 'the tree has a hole');
        above[at] = right === undefined ? left : nodeHash(left, right);
        next.add(at >> 1);
      }
      touched = next;
      row = above;
    }
  }

  /** Takes the leaves from an index on away again. */
  truncate(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.size)
      throw new CordonError('merkle.index', `a tree of ${this.size} leaves cannot be cut to ${size}`);
    let [length, level] = [size, 0];
    for (; length > 1; length = Math.ceil(length / 2), level += 1) (this.#levels[level] ??= []).length = length;
    (this.#levels[level] ??= []).length = length;
    this.#levels.length = level + 1;
    // Nodes above the last leaf covered what is gone.
    for (let [at, above] = [size - 1, 1]; above <= level; above += 1) {
      const row = this.#levels[above - 1] ?? [];
      at >>= 1;
      const [left, right] = [row[at * 2], row[at * 2 + 1]];
      if (left === undefined) throw new CordonError('merkle.index', 'the tree has a hole');
      (this.#levels[above] ??= [])[at] = right === undefined ? left : nodeHash(left, right);
    }
  }

  root(): string {
    return (this.#levels.at(-1)?.[0] ?? EMPTY).toString('hex');
  }

  /** Inclusion proof (RFC 9162 §2.1.3.1): sibling hashes from the leaf upwards. */
  proof(index: number): string[] {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size)
      throw new CordonError('merkle.index', `no leaf ${index} in a tree of ${this.size}`);
    return this.#levels.slice(0, -1).flatMap((row, level) => row[(index >> level) ^ 1]?.toString('hex') ?? []);
  }
}

/** Where a leaf is said to stand. */
interface Place {
  readonly index: number;
  readonly size: number;
  readonly proof: readonly string[];
  readonly root: string;
}

/**
 * Verifies an inclusion proof (RFC 9162 §2.1.3.2). The index is the verifier's own, never the sender's.
 * @returns whether `leaf` stands at `index` of the tree of `size` leaves with this root
 */
export const verifyInclusion = ({ leaf, ...place }: Place & { readonly leaf: Uint8Array }): boolean =>
  verifyHashInclusion({ hash: leafHash(leaf), ...place });

/** The same for a leaf of which only the hash is known, as published test vectors have it. */
export const verifyHashInclusion = (claim: Place & { readonly hash: Buffer }): boolean => {
  const { index, size, proof } = claim;
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  let fn = index;
  let sn = size - 1;
  let node = claim.hash.toString('hex');
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (!/^[0-9a-f]{64}$/.test(sibling)) return false;
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHex(sibling, node);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else node = nodeHex(node, sibling);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && node === claim.root;
};
