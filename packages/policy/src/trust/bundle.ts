/** Bundles: the bytes that a cohort gets, and the small signed manifest that covers them. */
import { Type, type Static } from 'typebox';
import type { BundleContent } from '../effective.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { canonicalJson } from './canonical-json.ts';
import { sha256Hex } from './digest.ts';

const closed = { additionalProperties: false } as const;

/** Payload of `cordon-bundle+jws`. Signed once per content, whatever the size of the fleet. */
export const BundleManifest = Type.Object(
  {
    format: Type.Literal('cordon-manifest/1'),
    org: Type.String({ maxLength: 64 }),
    digest: HexDigest,
    size: Type.Integer({ minimum: 2, maximum: Number.MAX_SAFE_INTEGER }),
    language: Type.Literal('cordon/v1'),
    issuedAt: Time,
    expiresAt: Time,
    revisions: Type.Array(
      Type.Object(
        {
          policy: Type.String({ maxLength: 64 }),
          revision: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
          digest: HexDigest,
        },
        closed,
      ),
      { maxItems: 1000 },
    ),
    onExpiry: Type.Literal('tighten'),
  },
  closed,
);
export type BundleManifest = Static<typeof BundleManifest>;

/** The longest that any manifest may live, whatever its signer says: 400 days. */
export const MAX_MANIFEST_LIFETIME_MS = 400 * 86_400_000;

/** The bundle's bytes as text: canonical JSON, policies in the order of their ids, so equal content has equal bytes. */
export const bundleBytes = (content: BundleContent): string =>
  canonicalJson({ ...content, policies: content.policies.toSorted((a, b) => (a.policy < b.policy ? -1 : 1)) });

/** Digest of one revision's document: what the manifest lists and the revision table keeps. */
export const documentDigest = (document: object): string => sha256Hex(canonicalJson(document));

/** @param lifetimeMs how long devices may start new runs under this bundle without a newer manifest */
export const manifestFor = (content: BundleContent, org: string, issuedAt: Date, lifetimeMs: number): BundleManifest => {
  const bytes = bundleBytes(content);
  return {
    format: 'cordon-manifest/1',
    org,
    digest: sha256Hex(bytes),
    size: Buffer.byteLength(bytes),
    language: 'cordon/v1',
    issuedAt: issuedAt.toISOString(),
    expiresAt: new Date(issuedAt.getTime() + lifetimeMs).toISOString(),
    revisions: content.policies
      .map(({ policy, revision, document }) => ({ policy, revision, digest: documentDigest(document) }))
      .sort((a, b) => (a.policy < b.policy ? -1 : 1)),
    onExpiry: 'tighten',
  };
};
