/** Bundles: made once per content, signed once, and never larger than what every device accepts. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { BundleContent } from '@cordon/policy/effective.ts';
import { MAX_FRAME_DOWN } from '@cordon/policy/protocol/channel.ts';
import { bundleBytes, manifestFor, type BundleManifest } from '@cordon/policy/trust/bundle.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { Context, Tx } from '../context.ts';
import { contentOf, type Snapshot } from './cohorts.ts';
import type { Published } from './published.ts';
import { readBundles, readDocuments, writeBundle } from './store.ts';

/** How long devices may start new runs under one manifest; it is signed anew when less than a third is left. */
export const MANIFEST_LIFETIME_MS = 30 * 86_400_000;

/** What a device's verification accepts (packages/policy, trust/verify.ts), less some room. */
const MOST = {
  policies: 1000,
  exceptions: 1000,
  reasons: 1000,
  bundle: 1_900_000,
  manifest: 60_000,
  frame: MAX_FRAME_DOWN - 65_536,
} as const;

/** Of the bundle without policies: nothing may be launched under it. */
export const EMPTY_BUNDLE = sha256Hex(bundleBytes({ format: 'cordon-bundle/1', language: 'cordon/v1', policies: [], exceptions: [] }));

const refuseTooLarge = (what: string, size: number, most: number): void => {
  if (size > most)
    throw new CordonError(
      'publish.too-large',
      `${what} of one cohort come to ${size}, and devices accept ${most}: assign fewer or shorter policies to the same devices; nothing was published`,
    );
};

const checkSize = ({ policies, exceptions }: BundleContent, text: string, manifest: BundleManifest): void => {
  refuseTooLarge('policies', policies.length, MOST.policies);
  refuseTooLarge('exceptions', exceptions.length, MOST.exceptions);
  refuseTooLarge('assignments of one policy', Math.max(0, ...policies.map(({ because }) => because.length)), MOST.reasons);
  refuseTooLarge('bytes of the policies', Buffer.byteLength(text), MOST.bundle);
  refuseTooLarge('bytes of the manifest', Math.ceil((Buffer.byteLength(JSON.stringify(manifest)) * 4) / 3), MOST.manifest);
  refuseTooLarge('bytes of the frame', Buffer.byteLength(JSON.stringify(text)), MOST.frame);
};

export const loadDocuments = async (tx: Tx, published: Published, { policies }: Snapshot): Promise<void> => {
  const missing = policies.filter(({ id, revision }) => !published.documents.has(`${id}@${revision}`));
  if (missing.length === 0) return;
  for (const { policy, revision, document } of await readDocuments(tx, missing)) published.documents.set(`${policy}@${revision}`, document);
};

/** The key id in the header of a manifest that this service stored. */
const signerOf = (jws: string): string => {
  const { kid } = JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString('utf8')) as { kid?: unknown };
  return typeof kid === 'string' ? kid : '';
};

/**
 * The bundle of these assignments, stored and signed: once per content, and again only when its manifest grows old or its key was rotated. The documents are loaded.
 * @returns its digest
 * @throws CordonError publish.too-large, publish.document-missing, signer.*
 */
export const ensureBundle = async (tx: Tx, context: Context, assignments: readonly string[], snapshot: Snapshot): Promise<string> => {
  const { published, signer, clock, organisation } = context;
  const content = contentOf(assignments, snapshot, ({ id, revision }) => published.documents.get(`${id}@${revision}`));
  const text = bundleBytes(content);
  const digest = sha256Hex(text);
  const now = clock();
  const isYoung = (expiresAt: Date): boolean => expiresAt.getTime() - now.getTime() > MANIFEST_LIFETIME_MS / 3;
  const known = published.bundles.get(digest) ?? (await readBundles(tx, [digest]))[0];
  // After a rotation no device takes what the key before has signed.
  if (known !== undefined && isYoung(known.expiresAt) && organisation.policyKeys.has(signerOf(known.manifest))) {
    published.bundles.set(digest, known);
    return digest;
  }
  const manifest = manifestFor(content, published.org, now, MANIFEST_LIFETIME_MS);
  checkSize(content, text, manifest);
  const bundle = { text, manifest: await signer.signManifest(manifest), expiresAt: new Date(manifest.expiresAt) };
  await writeBundle(tx, { digest, ...bundle });
  published.bundles.set(digest, bundle);
  return digest;
};
