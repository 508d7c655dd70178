/**
 * What a device pays to verify one state: a bundle of 50 KiB in a fleet of 100,000 devices and 500 cohorts. Floor: the same signatures, hashes and proofs by
 * node:crypto itself, with keys that are ready.
 */
import { createHash, createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { readHeld } from '@cordon/policy/approval/held.ts';
import type { BundleContent } from '@cordon/policy/effective.ts';
import type { StateFrame } from '@cordon/policy/protocol/channel.ts';
import { packState } from '@cordon/policy/protocol/packed.ts';
import { cohortLeafBytes, memberLeafBytes } from '@cordon/policy/trust/checkpoint.ts';
import { documentDigest } from '@cordon/policy/trust/bundle.ts';
import { verifyState, type StateInput } from '@cordon/policy/trust/verify.ts';
import type { World } from '@cordon/policy/trust/_world.ts';
import { deflatedFrame } from '../apps/control-plane/src/gateway/frames.ts';
import { figure, median, type Figure, type Round } from './figure.ts';
import { COHORTS, DEVICES, type MadeState } from './trust-state.ts';

const TIMES = 100;

/** Made on a thread of its own: the trees of such a fleet are in no device's memory. */
const makeState = (): Promise<MadeState> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('trust-state.ts', import.meta.url));
    worker.once('message', resolve);
    worker.once('error', reject);
  });

/** Strict parsing, the schema, each document's digest, and every rule understood: what a new state costs beside signatures, hashes and proofs. */
const understand = (bytes: string): number => readHeld(bytes).prepared().policies.length;

interface Signed {
  readonly key: KeyObject;
  readonly bytes: Buffer;
  readonly signature: Buffer;
}

/** Everything in a state that has a signature, taken apart beforehand. */
const signaturesOf = ({ roots, floor, frame, membership }: StateInput, { root }: World): readonly Signed[] => {
  const keys = Object.values(root.roles).flatMap((role) => role.keys.map((jwk) => createPublicKey({ key: { ...jwk }, format: 'jwk' })));
  const taken = (header: string, payload: string, signature: string): Signed => {
    const [bytes, sig] = [Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url')];
    const key = keys.find((one) => verifySignature(null, bytes, one, sig));
    if (key === undefined) throw new Error('a signature that no key has made');
    return { key, bytes, signature: sig };
  };
  const compact = [...new Set([frame.checkpoint, membership.checkpoint, frame.manifest])].map((jws) => {
    const [header = '', payload = '', signature = ''] = jws.split('.');
    return taken(header, payload, signature);
  });
  const general = [...roots, floor].flatMap((text) => {
    const { payload, signatures } = JSON.parse(text) as { payload: string; signatures: { protected: string; signature: string }[] };
    return signatures.map((one) => taken(one.protected, payload, one.signature));
  });
  return [...compact, ...general];
};

/** One hash a level, and one of the leaf: what any check of a proof must do. */
const climb = (leaf: Buffer, siblings: readonly Buffer[]): Buffer => {
  let hash = createHash('sha256').update(leaf).digest();
  for (const sibling of siblings) hash = createHash('sha256').update(sibling).update(hash).digest();
  return hash;
};

const bareOf = (input: StateInput, world: World): (() => number) => {
  const { frame, membership } = input;
  const signed = signaturesOf(input, world);
  const proofs = (
    [
      [memberLeafBytes(membership.member.leaf), membership.member.proof],
      [cohortLeafBytes(frame.cohort.leaf), frame.cohort.proof],
    ] as const
  ).map(([leaf, proof]) => [leaf, proof.map((hash) => Buffer.from(hash, 'hex'))] as const);
  const bundle = Buffer.from(frame.bundle ?? '');
  return () => {
    if (!signed.every(({ key, bytes, signature }) => verifySignature(null, bytes, key, signature)))
      throw new Error('a signature does not verify');
    for (const [leaf, siblings] of proofs) climb(leaf, siblings);
    return createHash('sha256').update(bundle).digest().length;
  };
};

/**
 * Processor time of each in milliseconds: medians of many, one after the other in turn. So a difference of two of them is of the same minute and after the same work, and
 * neighbours on the machine, or a collection of garbage that falls into one of them, are not taken for its price.
 */
const inTurn = async (works: readonly (() => unknown)[]): Promise<readonly number[]> => {
  const times = works.map((): number[] => []);
  for (let i = 0; i < TIMES; i += 1)
    for (const [at, work] of works.entries()) {
      const start = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(start);
      times[at]?.push((user + system) / 1000);
    }
  return times.map(median);
};

/**
 * What a publish costs a connected device beside its bundle (bytes and manifest), on the wire: the frame, less the frame with the bundle alone. Floor: key id,
 * signature and hashes that it holds, in binary. The others get nothing before the next renewal.
 */
const beside = (frame: StateFrame): Round => {
  const { manifest, bundle, ...rest } = packState(frame);
  const whole = deflatedFrame(JSON.stringify({ manifest, bundle, ...rest })).length;
  const hashes = [...rest.checkpoint[1].matchAll(/"~/g)].length + frame.cohort.proof.length;
  return { product: whole - deflatedFrame(JSON.stringify({ manifest, bundle })).length, floor: 32 + 64 + 32 * hashes };
};

/** @returns `trust.verify` (the whole verification less what follows), `trust.content` (parsing, schema, dry compile; floor: JSON.parse of the bundle and its documents' hashes) and `trust.checkpoint` */
export const verifying = async (count: number, say: (message: string) => void): Promise<readonly Figure[]> => {
  const { world, input } = await makeState();
  const bytes = input.frame.bundle ?? '';
  const bare = bareOf(input, world);
  const parse = (): unknown => (JSON.parse(bytes) as BundleContent).policies.map(({ document }) => documentDigest(document));
  say(
    `trust: a bundle of ${(Buffer.byteLength(bytes) / 1024).toFixed(0)} KiB among ${COHORTS} cohorts and ${DEVICES} devices, proofs of ${input.membership.member.proof.length} and ${input.frame.cohort.proof.length} hashes`,
  );
  const verify: Round[] = [];
  const rest: Round[] = [];
  for (let round = 0; round <= count; round += 1) {
    const [whole = 0, content = 0, floor = 0, parsed = 0] = await inTurn([() => verifyState(input), () => understand(bytes), bare, parse]);
    if (round === 0) continue;
    verify.push({ product: whole - content, floor });
    rest.push({ product: content, floor: parsed });
  }
  return [
    figure('trust.verify', 'ms', verify),
    figure('trust.content', 'ms', rest),
    figure('trust.checkpoint', 'bytes', [beside(input.frame)]),
  ];
};
