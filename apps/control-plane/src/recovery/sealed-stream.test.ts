import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { derivedKey, seal, unseal } from './sealed-stream.ts';

const key = randomBytes(32);
const sealed = (bytes: Buffer, cuts: readonly number[] = [], by = key): Promise<Buffer> => {
  const ends = [...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
  const chunks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
  return pipeline(Readable.from(chunks), seal(by), buffer);
};
const opened = (bytes: Buffer, by = key): Promise<Buffer> => pipeline(Readable.from([bytes]), unseal(by, 'x'), buffer);
const PIECE = 65_536 + 16;
const size = fc.oneof(fc.nat(100), fc.constantFrom(65_535, 65_536, 65_537, 131_072, 200_000));

describe('a sealed stream', () => {
  it('opens to what it was, however it was cut while it was written', () =>
    fc.assert(
      fc.asyncProperty(size, fc.array(fc.nat(200_000), { maxLength: 5 }), async (length, cuts) => {
        const bytes = randomBytes(length);
        const text = await sealed(bytes, cuts);
        expect(await opened(text)).toEqual(bytes);
        expect(text.length).toBe(length + 16 * Math.max(1, Math.ceil(length / 65_536)));
      }),
      { numRuns: Math.min(LAW_RUNS, 1000) },
    ));

  it('does not open after any byte was changed, nor cut off, nor with pieces taken out, doubled or moved, nor with another key', () =>
    fc.assert(
      fc.asyncProperty(size, fc.nat(), fc.integer({ min: 1, max: 255 }), async (length, where, bit) => {
        const whole = await sealed(randomBytes(length));
        const changed = Buffer.from(whole);
        const at = where % whole.length;
        changed[at] = (changed[at] ?? 0) ^ bit;
        const spoilt = [changed, whole.subarray(0, at), Buffer.concat([whole, whole.subarray(0, (at % 64) + 1)])];
        if (whole.length > PIECE)
          spoilt.push(
            whole.subarray(PIECE),
            whole.subarray(0, PIECE),
            Buffer.concat([whole.subarray(PIECE), whole.subarray(0, PIECE)]),
            Buffer.concat([whole.subarray(0, PIECE), whole]),
          );
        for (const bytes of spoilt) await expect(opened(bytes)).rejects.toMatchObject({ code: 'backup.damaged' });
        await expect(opened(whole, randomBytes(32))).rejects.toMatchObject({ code: 'backup.damaged' });
      }),
      { numRuns: Math.min(LAW_RUNS, 1000) },
    ));

  it('has a key of its own for each part', () => {
    const master = randomBytes(32);
    expect(derivedKey(master, 'a')).toEqual(derivedKey(master, 'a'));
    expect(derivedKey(master, 'a')).not.toEqual(derivedKey(master, 'b'));
  });
});
