import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { contentOf, DAY, ISSUED } from './_world.ts';
import { bundleBytes, BundleManifest, documentDigest, manifestFor } from './bundle.ts';
import { sha256Hex } from './digest.ts';

const Manifest = Compile(BundleManifest);
const entry = fc.tuple(
  fc.string({ minLength: 1, maxLength: 8 }).map((id) => `pol_${id}`),
  fc.integer({ min: 1, max: 9 }),
  fc.constantFrom('/a', '/b', '/ü'),
);
const entries = fc.uniqueArray(entry, { selector: ([id]) => id, maxLength: 8 });

describe('a bundle', () => {
  it('has the same bytes in whatever order its policies were put together', () => {
    fc.assert(
      fc.property(
        entries.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          expect(bundleBytes(contentOf(...shuffled))).toBe(bundleBytes(contentOf(...list)));
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('has other bytes for any other content', () => {
    fc.assert(
      fc.property(entries, entries, (one, other) => {
        const sorted = (list: readonly (readonly [string, number, string])[]): string =>
          JSON.stringify(list.toSorted(([a], [b]) => (a < b ? -1 : 1)));
        expect(bundleBytes(contentOf(...one)) === bundleBytes(contentOf(...other))).toBe(sorted(one) === sorted(other));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('leaves the order of the given list alone', () => {
    const content = contentOf(['pol_b', 1, '/b'], ['pol_a', 1, '/a']);
    bundleBytes(content);
    expect(content.policies.map(({ policy }) => policy)).toEqual(['pol_b', 'pol_a']);
  });
});

describe('a manifest', () => {
  const content = contentOf(['pol_b', 2, '/ü'], ['pol_a', 7, '/a']);
  const manifest = manifestFor(content, 'org_a', ISSUED, 30 * DAY);

  it('covers the bytes, lists the revisions in the order of the bundle, and says from when until when', () => {
    const bytes = bundleBytes(content);
    expect(manifest).toEqual({
      format: 'cordon-manifest/1',
      org: 'org_a',
      digest: sha256Hex(bytes),
      size: Buffer.byteLength(bytes),
      language: 'cordon/v1',
      issuedAt: '2026-03-01T12:00:00.000Z',
      expiresAt: '2026-03-31T12:00:00.000Z',
      revisions: [
        { policy: 'pol_a', revision: 7, digest: documentDigest(content.policies[1]?.document ?? {}) },
        { policy: 'pol_b', revision: 2, digest: documentDigest(content.policies[0]?.document ?? {}) },
      ],
      onExpiry: 'tighten',
    });
    expect(manifest.size).toBeGreaterThan(bytes.length);
    expect((JSON.parse(bytes) as typeof content).policies.map(({ policy }) => policy)).toEqual(['pol_a', 'pol_b']);
  });

  it('fits its own schema, which is closed', () => {
    expect(Manifest.Check(manifest)).toBe(true);
    expect(Manifest.Check(manifestFor(contentOf(), 'org_a', ISSUED, DAY))).toBe(true);
    expect(Manifest.Check({ ...manifest, note: '' })).toBe(false);
    for (const name of Object.keys(manifest)) expect(Manifest.Check({ ...manifest, [name]: undefined })).toBe(false);
  });
});

describe("a document's digest", () => {
  it('is the same in whatever order its members stand, and another for any other document', () => {
    expect(documentDigest({ a: 1, b: { c: 2, d: 3 } })).toBe(documentDigest({ b: { d: 3, c: 2 }, a: 1 }));
    expect(documentDigest({ a: 1 })).not.toBe(documentDigest({ a: 2 }));
    expect(documentDigest({ a: [1, 2] })).not.toBe(documentDigest({ a: [2, 1] }));
  });
});
