/** For tests: bytes that were changed as errors, fuzzers and attackers change them. */
import fc from 'fast-check';

export interface Mutation {
  readonly kind: 'bit' | 'byte' | 'letter' | 'insert' | 'delete' | 'double' | 'move' | 'splice' | 'cut';
  /** Places, as parts of the whole. */
  readonly at: number;
  readonly to: number;
  readonly size: number;
  readonly byte: number;
}

const part = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('bit', 'byte', 'letter', 'letter', 'letter', 'insert', 'delete', 'double', 'move', 'splice', 'cut'),
  at: part,
  to: part,
  size: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2000 })),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[]:,.-_=0aAeE \n\0'))),
});
/** Mostly one change, sometimes a few on top of each other. */
export const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });

const ALPHABETS = ['0123456789', 'abcdef', 'ghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '-_+/', '"\'{}[]:,'].map((text) =>
  Buffer.from(text),
);
/** Another character of the same sort, so that what is around it still reads it. */
const sibling = (old: number, choice: number): number => {
  const alphabet = ALPHABETS.find((letters) => letters.includes(old)) ?? Buffer.of(old);
  return alphabet[choice % alphabet.length] ?? old;
};

/** @param donor other bytes of the same kind, from which pieces are taken */
const mutate = (bytes: Buffer, { kind, at, to, size, byte }: Mutation, donor: Buffer): Buffer => {
  const [i, j] = [Math.floor(at * bytes.length), Math.floor(to * bytes.length)];
  const piece = bytes.subarray(i, i + size);
  const put = (value: number): Buffer => {
    const changed = Buffer.from(bytes);
    if (i < changed.length) changed[i] = value;
    return changed;
  };
  const old = bytes[i] ?? 0;
  switch (kind) {
    case 'bit':
      return put(old ^ (1 << (byte & 7)));
    case 'byte':
      return put(byte);
    case 'letter':
      return put(sibling(old, byte));
    case 'insert':
      return Buffer.concat([bytes.subarray(0, i), Buffer.of(byte), bytes.subarray(i)]);
    case 'delete':
      return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + size)]);
    case 'double':
      return Buffer.concat([bytes.subarray(0, i), piece, bytes.subarray(i)]);
    case 'move':
      return Buffer.concat([bytes.subarray(0, j), piece, bytes.subarray(j)]);
    case 'splice':
      return Buffer.concat([bytes.subarray(0, i), donor.subarray(i, i + size), bytes.subarray(i + size)]);
    case 'cut':
      return bytes.subarray(0, i);
  }
};

/** @returns never the same bytes: changes that come to nothing are one changed bit */
export const mutated = (bytes: Buffer, changes: readonly Mutation[], donor: Buffer): Buffer => {
  const changed = changes.reduce((before, change) => mutate(before, change, donor), bytes);
  if (!changed.equals(bytes)) return changed;
  const { at, byte } = changes[0] ?? { at: 0, byte: 0 };
  const flipped = Buffer.from(bytes);
  const i = Math.floor(at * flipped.length);
  flipped[i] = (flipped[i] ?? 0) ^ (1 << (byte & 7));
  return flipped;
};
