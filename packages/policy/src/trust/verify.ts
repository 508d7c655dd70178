/**
 * The one verification of the state that a device enforces. Its lines are the argument; it runs on receipt and again at each load from disk,
 * and nothing in it is optional.
 */
import { Compile } from 'typebox/compile';
import type { PolicyDocument } from '../document/schema.ts';
import { prepareException, type PreparedException } from '../document/exception.ts';
import { prepareFloor, preparePolicy } from '../document/prepare.ts';
import type { PreparedPolicy } from '../document/prepared.ts';
import type { AppliedPolicy, BundleContent } from '../effective.ts';
import { CordonError } from '../errors.ts';
import type { MembershipFrame, StateFrame } from '../protocol/channel.ts';
import { ContentSchema } from './bundle-content.ts';
import { BundleManifest, documentDigest, MAX_MANIFEST_LIFETIME_MS } from './bundle.ts';
import { CHECKPOINT_LIFETIME_MS, cohortLeafBytes, EXPIRED_AFTER_MS, memberLeafBytes } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { openCompact } from './envelope.ts';
import { verifyFloor } from './floor.ts';
import { openLink, type Link } from './history.ts';
import { verifyInclusion } from './merkle.ts';
import { verifyRootChain } from './root.ts';
import { parseStrictJson } from './strict-json.ts';
import { requireWitnesses } from './witness.ts';

const MAX_BUNDLE = 2_000_000;
/** A checkpoint from further ahead than this is a wrong clock or an attack. */
export const CLOCK_SKEW_MS = 10 * 60_000;

/** What this device has accepted, which only grows: the serial of its state's checkpoint and that of its membership's. */
export interface Ratchet {
  readonly epoch: number;
  readonly serial: number;
  readonly member: number;
}

export interface StateInput {
  readonly frame: StateFrame;
  readonly membership: MembershipFrame;
  readonly roots: readonly string[];
  readonly fingerprint: string;
  readonly floor: string;
  readonly device: { readonly id: string; readonly memberIndex: number; readonly org: string };
  readonly ratchet: Ratchet;
  readonly now: Date;
  /** On receipt an expired checkpoint is refused; at load it is kept and called stale or expired. */
  readonly receipt: boolean;
}

export type Freshness = 'current' | 'stale' | 'expired';

export interface VerifiedState {
  readonly epoch: number;
  readonly serial: number;
  /** What the ratchet becomes when this is accepted. */
  readonly ratchet: Ratchet;
  readonly digest: string;
  readonly cohort: string;
  readonly content: BundleContent;
  readonly floor: PolicyDocument;
  /** The same policies, understood: what launches are resolved from. */
  readonly prepared: readonly PreparedPolicy[];
  readonly preparedFloor: PreparedPolicy;
  readonly exceptions: readonly PreparedException[];
  /** When the older of its two checkpoints was issued: so far the signer has spoken for the whole of it. */
  readonly issuedAt: Date;
  /** From when the state is stale (still enforced) and expired (no new runs). */
  readonly staleAt: Date;
  readonly expiresAt: Date;
  /** The time by which it was judged, and what it was then. */
  readonly judgedAt: Date;
  readonly freshness: Freshness;
  readonly checkpointDigest: string;
  /** The checkpoints of both frames, as they are compared with those that came before. */
  readonly seen: readonly [state: Link, member: Link];
}

const Content = Compile(ContentSchema);
const Manifest = Compile(BundleManifest);

const demand: (held: boolean, code: string, message: string) => asserts held = (held, code, message) => {
  if (!held) throw new CordonError(code, message);
};

/** A time that is none makes everything expired. */
export const freshnessAt = ({ staleAt, expiresAt }: Pick<VerifiedState, 'staleAt' | 'expiresAt'>, now: Date): Freshness =>
  now < expiresAt ? (now < staleAt ? 'current' : 'stale') : 'expired';

/** Demands of a checkpoint that it is of this organisation, of its time, and not older than what this device has accepted. */
const demandCurrent = ({ payload }: Link, serial: number, input: StateInput): void => {
  demand(payload.org === input.device.org, 'checkpoint.org', 'the checkpoint is of another organisation');
  demand(
    Date.parse(payload.issuedAt) <= input.now.getTime() + CLOCK_SKEW_MS,
    'checkpoint.future',
    `the checkpoint was issued at ${payload.issuedAt}, after this device's clock`,
  );
  demand(
    Date.parse(payload.expiresAt) <= Date.parse(payload.issuedAt) + 4 * CHECKPOINT_LIFETIME_MS,
    'checkpoint.lifetime',
    'the checkpoint would live too long',
  );
  demand(
    !input.receipt || Date.parse(payload.expiresAt) > input.now.getTime(),
    'checkpoint.expired',
    `the checkpoint expired at ${payload.expiresAt}`,
  );
  const { epoch } = input.ratchet;
  demand(
    payload.epoch > epoch || (payload.epoch === epoch && payload.serial >= serial),
    'checkpoint.rollback',
    `epoch ${payload.epoch} serial ${payload.serial} is older than ${epoch}/${serial}`,
  );
};

/**
 * @throws CordonError with the code of the first step that failed: `root.*`, `floor.*`, `checkpoint.*`, `member.*`, `cohort.*`, `manifest.*`, `bundle.*`, `jws.*`, `json.*`
 */
export const verifyState = async (input: StateInput): Promise<VerifiedState> => {
  const { frame, membership, device, now } = input;
  // 1. The root that this device was enrolled under, and the floor that it signed.
  const root = await verifyRootChain(input.roots, input.fingerprint, input.receipt ? now : new Date(0));
  demand(root.document.org === device.org, 'root.org', 'the root is of another organisation');
  const floor = await verifyFloor(input.floor, root);
  // 2. The checkpoints of both frames: by the checkpoint role, fresh, in this epoch, not older than what was accepted.
  const link = await openLink(frame.checkpoint, root.keys('checkpoint'));
  demandCurrent(link, input.ratchet.serial, input);
  const other = membership.checkpoint === frame.checkpoint ? link : await openLink(membership.checkpoint, root.keys('checkpoint'));
  demandCurrent(other, input.ratchet.member, input);
  const seen = [link, other] as const;
  const [{ payload: state }, { payload: member }] = seen;
  demand(
    state.epoch === root.document.epoch && member.epoch === root.document.epoch,
    'checkpoint.epoch',
    `the root is in epoch ${root.document.epoch}`,
  );
  // 3. And where the root demands witnesses, cosigned by them.
  await requireWitnesses(seen[0], frame.witness, root);
  await requireWitnesses(seen[1], membership.witness, root);
  // 4. This device's own place in the members tree names its cohort.
  const { leaf } = membership.member;
  demand(
    leaf.org === device.org && leaf.device === device.id && leaf.index === device.memberIndex,
    'member.identity',
    "the member leaf is not this device's",
  );
  demand(
    verifyInclusion({
      leaf: memberLeafBytes(leaf),
      index: device.memberIndex,
      size: member.members.size,
      proof: membership.member.proof,
      root: member.members.root,
    }),
    'member.proof',
    'the member leaf is not in the members tree',
  );
  // 5. The cohort's place names the digest of its bundle.
  const cohort = frame.cohort.leaf;
  demand(
    cohort.org === device.org && cohort.cohort === leaf.cohort && cohort.index === leaf.cohortIndex,
    'cohort.identity',
    "the state is not of this device's cohort",
  );
  demand(
    verifyInclusion({
      leaf: cohortLeafBytes(cohort),
      index: leaf.cohortIndex,
      size: state.cohorts.size,
      proof: frame.cohort.proof,
      root: state.cohorts.root,
    }),
    'cohort.proof',
    'the cohort leaf is not in the cohorts tree',
  );
  demand(cohort.serial <= state.serial, 'cohort.serial', 'the cohort changed after its checkpoint');
  // 6. The manifest, by the policy role, covers exactly these bytes.
  const { payload: manifest } = await openCompact(frame.manifest, {
    typ: 'cordon-bundle+jws',
    keys: root.keys('policy'),
    maxBytes: 65_536,
  });
  demand(Manifest.Check(manifest), 'manifest.schema', 'not a bundle manifest');
  demand(manifest.org === device.org, 'manifest.org', 'the bundle is of another organisation');
  demand(manifest.digest === cohort.digest, 'manifest.digest', "the manifest is not of the cohort's bundle");
  const issuedAt = Date.parse(manifest.issuedAt);
  demand(
    issuedAt <= now.getTime() + CLOCK_SKEW_MS,
    'manifest.future',
    `the bundle was issued at ${manifest.issuedAt}, after this device's clock`,
  );
  demand(Date.parse(manifest.expiresAt) <= issuedAt + MAX_MANIFEST_LIFETIME_MS, 'manifest.lifetime', 'the bundle would live too long');
  const bytes = frame.bundle;
  demand(bytes !== null, 'bundle.missing', 'the frame has no bundle');
  demand(
    Buffer.byteLength(bytes) === manifest.size && sha256Hex(bytes) === manifest.digest,
    'bundle.digest',
    'the bundle is not what was signed',
  );
  // 7. The content, and that its revisions are those of the manifest.
  const content = parseStrictJson(bytes, { maxBytes: MAX_BUNDLE, maxDepth: 32 });
  demand(Content.Check(content), 'bundle.schema', 'the bundle does not fit the language version of this device');
  const policies: readonly AppliedPolicy[] = content.policies;
  demand(
    policies.length === manifest.revisions.length &&
      policies.every((p, i) => {
        const listed = manifest.revisions[i];
        return listed?.policy === p.policy && listed.revision === p.revision && listed.digest === documentDigest(p.document);
      }),
    'bundle.revisions',
    'the bundle holds other revisions than its manifest lists',
  );
  // 8. Every rule means something here: what could not be enforced is refused before it is in force.
  const prepared = policies.map(preparePolicy);
  const exceptions = content.exceptions.map(prepareException);
  // 9. How fresh it is: a renewal brings both, so withholding either makes the device stale.
  const newest = Math.min(Date.parse(state.expiresAt), Date.parse(member.expiresAt));
  const staleAt = new Date(newest);
  const expiresAt = new Date(Math.min(newest + EXPIRED_AFTER_MS, Date.parse(manifest.expiresAt), Date.parse(root.document.expiresAt)));
  demand(!input.receipt || expiresAt > now, 'manifest.expired', `the bundle expired at ${manifest.expiresAt}`);
  return {
    epoch: state.epoch,
    serial: state.serial,
    ratchet: { epoch: state.epoch, serial: state.serial, member: member.serial },
    digest: manifest.digest,
    cohort: leaf.cohort,
    content: { ...content, policies },
    floor: floor.document,
    prepared,
    exceptions,
    preparedFloor: prepareFloor(floor.document, floor.version),
    issuedAt: new Date(Math.min(Date.parse(state.issuedAt), Date.parse(member.issuedAt))),
    staleAt,
    expiresAt,
    judgedAt: now,
    freshness: freshnessAt({ staleAt, expiresAt }, now),
    checkpointDigest: seen[state.serial >= member.serial ? 0 : 1].digest,
    seen,
  };
};
