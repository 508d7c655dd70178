/**
 * A small signed organisation for tests: keys by role, devices in cohorts, and what a publish gives one device. Each statement can be changed just before it
 * is hashed and signed, so that a test breaks one thing and everything around it stays honest.
 */
import type { BundleContent } from '../effective.ts';
import type { CohortLeaf, MemberLeaf } from '../protocol/channel.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { bundleBytes, manifestFor, type BundleManifest } from './bundle.ts';
import { CHECKPOINT_LIFETIME_MS, cohortLeafBytes, memberLeafBytes, type CheckpointPayload } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { signCompact, signGeneral } from './envelope.ts';
import { keyPairFromSeed, type KeyPair } from './keys.ts';
import { MerkleTree } from './merkle.ts';
import { rootFingerprint, type RequiredRole, type RoleName, type RootDocument } from './root.ts';
import type { StateInput } from './verify.ts';
import { cosign } from './witness.ts';

/** When everything here is issued; a device looks at it one minute later. */
export const ISSUED = new Date('2026-03-01T12:00:00.000Z');
export const after = (ms: number): Date => new Date(ISSUED.getTime() + ms);
export const DAY = 86_400_000;

/** The key of a name: the same in every run. */
export const keyNamed = (name: string): KeyPair => keyPairFromSeed(Buffer.from(sha256Hex(name), 'hex'));

const ROLES: Readonly<Record<RoleName, { readonly threshold: number; readonly of: number }>> = {
  witness: { threshold: 2, of: 3 },
  root: { threshold: 2, of: 3 },
  floor: { threshold: 2, of: 2 },
  approver: { threshold: 1, of: 2 },
  policy: { threshold: 1, of: 2 },
  checkpoint: { threshold: 1, of: 2 },
  identity: { threshold: 1, of: 1 },
};
export const keysFor = (org: string, role: RoleName): KeyPair[] =>
  Array.from({ length: ROLES[role].of }, (_, i) => keyNamed(`${org} ${role} ${i}`));

export const rootDocument = (org: string, change: Partial<RootDocument> = {}): RootDocument => {
  const role = (name: RequiredRole): RootDocument['roles'][RequiredRole] => ({
    threshold: ROLES[name].threshold,
    keys: keysFor(org, name).map(({ jwk }) => jwk),
  });
  return {
    format: 'cordon-root/1',
    org,
    version: 1,
    epoch: 3,
    expiresAt: after(365 * DAY).toISOString(),
    roles: {
      root: role('root'),
      floor: role('floor'),
      approver: role('approver'),
      policy: role('policy'),
      checkpoint: role('checkpoint'),
      identity: role('identity'),
    },
    ...change,
  };
};

export const policyDocument = (name: string, spec: PolicyDocument['spec']): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name },
  spec,
});

export const floorPayload = (org: string): { format: string; org: string; version: number; document: PolicyDocument } => ({
  format: 'cordon-floor/1',
  org,
  version: 1,
  document: policyDocument('floor', { deny: { filesystem: { access: ['/srv/payroll'] } } }),
});

export interface World {
  readonly org: string;
  readonly root: RootDocument;
  readonly roots: readonly string[];
  readonly floor: string;
  readonly fingerprint: string;
}

/** The roles of a root that demands witnesses. */
export const rolesWithWitnesses = (org: string): RootDocument['roles'] => ({
  ...rootDocument(org).roles,
  witness: { threshold: ROLES.witness.threshold, keys: keysFor(org, 'witness').map(({ jwk }) => jwk) },
});

export const createWorld = async (org: string, change: Partial<RootDocument> = {}): Promise<World> => {
  const root = rootDocument(org, change);
  const text = await signGeneral(root, 'cordon-root+jws', keysFor(org, 'root').slice(0, 2));
  const floor = await signGeneral(floorPayload(org), 'cordon-floor+jws', keysFor(org, 'floor'));
  return { org, root, roots: [text], floor, fingerprint: rootFingerprint(text) };
};

/** What was published: cohorts and devices stand at their places in the two trees. */
export interface Fleet {
  readonly serial: number;
  readonly at: Date;
  /** Where its checkpoint stands among those of the epoch; without it, it is the first. */
  readonly chain?: Pick<CheckpointPayload, 'number' | 'previous' | 'skip'>;
  readonly cohorts: readonly { readonly id: string; readonly serial: number; readonly content: BundleContent }[];
  readonly devices: readonly { readonly id: string; readonly cohort: number }[];
}

export const contentOf = (...policies: readonly (readonly [policy: string, revision: number, read: string])[]): BundleContent => ({
  format: 'cordon-bundle/1',
  language: 'cordon/v1',
  policies: policies.map(([policy, revision, read]) => ({
    policy,
    name: `name-of-${policy}`,
    revision,
    document: policyDocument(`name-of-${policy}`, { allow: { filesystem: { read: [read] } } }),
    because: [{ assignment: 'asg_1', group: 'grp_1', groupName: 'All devices' }],
  })),
  exceptions: [],
});

export const FLEET: Fleet = {
  serial: 7,
  at: ISSUED,
  cohorts: [
    { id: 'coh_strict', serial: 5, content: contentOf(['pol_a', 2, '/srv/strict'], ['pol_b', 1, '/srv/schön']) },
    { id: 'coh_lax', serial: 7, content: contentOf(['pol_c', 4, '/srv']) },
  ],
  devices: [0, 1, 0, 0, 1].map((cohort, index) => ({ id: `dev_${index}`, cohort })),
};

/** Changes to single statements, each made before hashing and signing. */
export interface Forgery {
  readonly checkpoint?: (payload: CheckpointPayload) => object;
  readonly memberCheckpoint?: (payload: CheckpointPayload) => object;
  readonly memberLeaf?: (leaf: MemberLeaf) => MemberLeaf;
  readonly cohortLeaf?: (leaf: CohortLeaf) => CohortLeaf;
  readonly content?: (content: BundleContent) => object;
  readonly manifest?: (manifest: BundleManifest) => object;
  readonly checkpointKey?: KeyPair;
  /** Who cosigns; those that the root demands unless said. */
  readonly witnesses?: readonly KeyPair[];
  readonly policyKey?: KeyPair;
}

/** What others name a checkpoint by. */
export const payloadDigest = (jws: string): string => sha256Hex(Buffer.from(jws.split('.')[1] ?? '', 'base64url'));

const same = <T>(value: T): T => value;
const first = (keys: readonly KeyPair[]): KeyPair => keys[0] ?? keyNamed('none');

/** What `device` (its place in the fleet) receives, and everything else that it verifies with. */
export const stateFor = async (world: World, fleet: Fleet, device: number, forgery: Forgery = {}): Promise<StateInput> => {
  const { org } = world;
  const { memberLeaf = same, cohortLeaf = same, content = same, manifest = same, checkpoint = same, memberCheckpoint = same } = forgery;
  const place = fleet.devices[device];
  const home = fleet.cohorts[place?.cohort ?? 0];
  if (place === undefined || home === undefined) throw new Error(`no device ${device} in the fleet`);
  const text = forgery.content === undefined ? bundleBytes(home.content) : JSON.stringify(content(home.content));
  const covered = { ...manifestFor(home.content, org, fleet.at, 30 * DAY), digest: sha256Hex(text), size: Buffer.byteLength(text) };
  const leafOf = ({ id, serial, content: theirs }: Fleet['cohorts'][number], index: number): CohortLeaf => {
    const leaf = { org, index, cohort: id, serial, digest: index === place.cohort ? covered.digest : sha256Hex(bundleBytes(theirs)) };
    return index === place.cohort ? cohortLeaf(leaf) : leaf;
  };
  const memberOf = ({ id, cohort }: Fleet['devices'][number], index: number): MemberLeaf => {
    const leaf = { org, index, device: id, cohort: fleet.cohorts[cohort]?.id ?? '', cohortIndex: cohort };
    return index === device ? memberLeaf(leaf) : leaf;
  };
  const [members, cohorts] = [new MerkleTree(), new MerkleTree()];
  fleet.devices.forEach((entry, index) => members.set(index, memberLeafBytes(memberOf(entry, index))));
  fleet.cohorts.forEach((entry, index) => cohorts.set(index, cohortLeafBytes(leafOf(entry, index))));
  const payload: CheckpointPayload = {
    format: 'cordon-checkpoint/1',
    org,
    epoch: world.root.epoch,
    serial: fleet.serial,
    number: fleet.chain?.number ?? 0,
    issuedAt: fleet.at.toISOString(),
    expiresAt: new Date(fleet.at.getTime() + CHECKPOINT_LIFETIME_MS).toISOString(),
    audit: { seq: 40, head: sha256Hex('audit') },
    members: { size: members.size, root: members.root() },
    cohorts: { size: cohorts.size, root: cohorts.root() },
    previous: fleet.chain?.previous ?? null,
    skip: fleet.chain?.skip ?? null,
  };
  const checkpointKey = forgery.checkpointKey ?? first(keysFor(org, 'checkpoint'));
  const policyKey = forgery.policyKey ?? first(keysFor(org, 'policy'));
  const { witness } = world.root.roles;
  const witnesses = forgery.witnesses ?? (witness === undefined ? [] : keysFor(org, 'witness').slice(0, witness.threshold));
  const cosigned = async (jws: string): Promise<{ witness?: string[] }> =>
    witnesses.length === 0 ? {} : { witness: await Promise.all(witnesses.map((key) => cosign(payload, payloadDigest(jws), key))) };
  const [stateCheckpoint, memberCheckpointJws] = [
    await signCompact(checkpoint(payload), 'cordon-checkpoint+jws', checkpointKey),
    await signCompact(memberCheckpoint(payload), 'cordon-checkpoint+jws', checkpointKey),
  ];
  return {
    frame: {
      type: 'state',
      checkpoint: stateCheckpoint,
      cohort: { leaf: leafOf(home, place.cohort), proof: cohorts.proof(place.cohort) },
      manifest: await signCompact(manifest(covered), 'cordon-bundle+jws', policyKey),
      bundle: text,
      ...(await cosigned(stateCheckpoint)),
    },
    membership: {
      type: 'membership',
      checkpoint: memberCheckpointJws,
      member: { leaf: memberOf(place, device), proof: members.proof(device) },
      ...(await cosigned(memberCheckpointJws)),
    },
    roots: world.roots,
    fingerprint: world.fingerprint,
    floor: world.floor,
    device: { id: place.id, memberIndex: device, org },
    ratchet: { epoch: world.root.epoch, serial: 0, member: 0 },
    now: new Date(fleet.at.getTime() + 60_000),
    receipt: true,
  };
};
