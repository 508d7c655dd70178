import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSeeds, sealSeeds } from './sealed-seeds.ts';

const random = { salt: Buffer.alloc(16, 7), iv: Buffer.alloc(12, 9) };
const seeds = { root: 'AAAA', floor: 'BBBB' };
const passphrase = Buffer.from('correct horse');
const sealed = sealSeeds(seeds, passphrase, random);

describe('sealed seeds', () => {
  it('open with their passphrase and with no other', () => {
    expect(openSeeds(sealed, passphrase)).toEqual(seeds);
    expect(() => openSeeds(sealed, Buffer.from('correct horsf'))).toThrow(expect.objectContaining({ code: 'keys.sealed' }));
  });

  it('say nothing of what is in them', () => {
    for (const word of ['AAAA', 'root', 'BBBB']) expect(sealed).not.toContain(word);
  });

  it('do not open when any character of the file is another', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom('A', '0', '"', '}'), (at, char) => {
        fc.pre(sealed[at] !== char);
        const changed = sealed.slice(0, at) + char + sealed.slice(at + 1);
        let opened: unknown;
        try {
          opened = openSeeds(changed, passphrase);
        } catch (error) {
          expect(error).toMatchObject({ code: 'keys.sealed' });
          return;
        }
        // The unused bits at the end of a base64url text are the only ones that may differ.
        expect(opened).toEqual(seeds);
      }),
      { numRuns: 40 },
    );
  });
});
