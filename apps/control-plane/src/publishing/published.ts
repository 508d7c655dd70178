/**
 * What is in force, in memory: the newest checkpoint, both Merkle trees, every device's place and the bundles of living cohorts.
 * A copy of the database, rebuilt at start and whenever another replica has published; the proofs that devices get are cut from it.
 */
import { CordonError } from '@cordon/policy/errors.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { MembershipFrame, StateFrame } from '@cordon/policy/protocol/channel.ts';
import { cohortLeafBytes, memberLeafBytes } from '@cordon/policy/trust/checkpoint.ts';
import { MerkleTree } from '@cordon/policy/trust/merkle.ts';
import type { Approved } from '../proposals/proposals.ts';
import { Claims } from './claims.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from './cohorts.ts';

export interface CohortState {
  readonly id: string;
  readonly key: string;
  /** Position in the cohorts tree. */
  readonly index: number;
  readonly serial: number;
  readonly digest: string;
  /** Undefined until a device in it has been placed since the start. */
  readonly assignments: readonly string[] | undefined;
}

export interface CheckpointState {
  readonly jws: string;
  /** SHA-256 of its payload. */
  readonly digest: string;
  readonly epoch: number;
  readonly serial: number;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

export interface Place {
  /** Position in the members tree. */
  readonly index: number;
  readonly cohort: string | undefined;
}

export interface StoredBundle {
  readonly text: string;
  readonly manifest: string;
  readonly expiresAt: Date;
}

/** What is new under a checkpoint. */
export interface Advance {
  readonly serial: number;
  readonly cohorts: ReadonlySet<string>;
  readonly devices: ReadonlySet<string>;
  /** Everyone gets a proof under the new checkpoint. */
  readonly renewed: boolean;
}

/** What becomes other with one transition. */
export interface Changes {
  readonly cohorts: readonly CohortState[];
  readonly joining: readonly { readonly id: string; readonly index: number }[];
  readonly moves: readonly { readonly device: string; readonly cohort: string | undefined }[];
}

export class Published {
  readonly org: string;
  checkpoint: CheckpointState | undefined;
  snapshot: Snapshot = EMPTY_SNAPSHOT;
  members = new MerkleTree();
  tree = new MerkleTree();
  readonly cohorts = new Map<string, CohortState>();
  readonly byKey = new Map<string, string>();
  readonly devices = new Map<string, Place>();
  readonly bundles = new Map<string, StoredBundle>();
  /** Immutable revisions, by `policy@revision`. */
  readonly documents = new Map<string, PolicyDocument>();
  /** What people approved last in this epoch, as last read. */
  approved: Approved | undefined;
  readonly claims = new Claims();
  /** The serial of the last checkpoint that this process had signed, whether or not its transaction was committed. */
  signed: number | undefined;
  /** A change of members was committed and could not be placed: the next renewal looks at every device. */
  misplaced = false;
  /** Places devices, several callers at a time; made by the first. */
  placing: ((devices: readonly string[]) => Promise<void>) | undefined;
  /** How many witnesses must cosign a checkpoint before devices get it. */
  readonly demanded: number;
  #cosigned: { readonly digest: string; readonly by: Map<string, string> } = { digest: '', by: new Map() };
  readonly #listeners = new Set<(advance: Advance) => void>();
  #writing: Promise<void> | undefined;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(org: string, demanded = 0) {
    this.org = org;
    this.demanded = demanded;
  }

  /** Cosignatures of the newest checkpoint, by the witness's key. */
  get cosignatures(): ReadonlyMap<string, string> {
    return this.#cosigned.digest === this.checkpoint?.digest ? this.#cosigned.by : new Map();
  }

  /** Devices would refuse the newest checkpoint while this is false. */
  get isWitnessed(): boolean {
    return this.demanded === 0 || this.cosignatures.size >= this.demanded;
  }

  /** Takes a cosignature, if it is of the newest checkpoint. Those who wait for it are told by an announcement with nothing else in it. */
  async cosign(digest: string, witness: string, cosignature: string): Promise<void> {
    await this.read(() => {
      if (digest !== this.checkpoint?.digest) return;
      if (this.#cosigned.digest !== digest) this.#cosigned = { digest, by: new Map() };
      this.#cosigned.by.set(witness, cosignature);
      this.announce({ serial: this.checkpoint.serial, cohorts: new Set(), devices: new Set(), renewed: false });
    });
  }

  /** Runs one transition after another; readers go on meanwhile. */
  serialise<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#publishing.then(work, work);
    this.#publishing = next.catch(() => undefined);
    return next;
  }

  /** From here until `release` trees and checkpoint may disagree; readers wait. */
  async acquire(): Promise<() => void> {
    while (this.#writing !== undefined) await this.#writing;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#writing = promise;
    return () => {
      this.#writing = undefined;
      resolve();
    };
  }

  /** Runs `look` at a moment when trees and checkpoint agree. */
  async read<T>(look: () => T): Promise<T> {
    while (this.#writing !== undefined) await this.#writing;
    return look();
  }

  /** What is here no longer agrees with the database: it is loaded anew before it is used. */
  invalidate(): void {
    this.checkpoint = undefined;
  }

  subscribe(listener: (advance: Advance) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  announce(advance: Advance): void {
    for (const listener of this.#listeners) listener(advance);
  }

  /** Puts a device's leaf. Without a cohort (not placed, revoked) the leaf is vacant and proves nothing to anyone. */
  place(device: string, index: number, cohort: string | undefined): void {
    this.devices.set(device, { index, cohort });
    this.members.set(index, memberLeafBytes(this.#memberLeaf(device, index, cohort)));
  }

  putCohort(cohort: CohortState): void {
    this.cohorts.set(cohort.id, cohort);
    this.byKey.set(cohort.key, cohort.id);
    this.tree.set(cohort.index, cohortLeafBytes(this.#cohortLeaf(cohort)));
  }

  /**
   * Makes what a transition changes. The trees then give the roots that are to be signed.
   * @returns takes all of it back, as if it had never been
   */
  apply({ cohorts, joining, moves }: Changes): () => void {
    const [members, leaves] = [this.members.size, this.tree.size];
    const had = cohorts.map((cohort) => [cohort, this.cohorts.get(cohort.id)] as const);
    const stood = [...joining.map(({ id }) => id), ...moves.map(({ device }) => device)].map((id) => [id, this.devices.get(id)] as const);
    for (const cohort of cohorts) this.putCohort(cohort);
    for (const { id, index } of joining) this.place(id, index, undefined);
    for (const { device, cohort } of moves) {
      const index = this.devices.get(device)?.index;
      if (index === undefined) throw new CordonError('publish.unknown-device', `device ${device} has no place in the members tree`);
      this.place(device, index, cohort);
    }
    return () => {
      for (const [cohort, before] of had) {
        if (before !== undefined) this.putCohort(before);
        else if (this.cohorts.delete(cohort.id)) this.byKey.delete(cohort.key);
      }
      for (const [id, before] of stood)
        if (before === undefined) this.devices.delete(id);
        else this.place(id, before.index, before.cohort);
      this.members.truncate(members);
      this.tree.truncate(leaves);
    };
  }

  /** Forgets bundles and documents that nothing in force needs any more. */
  tidy(): void {
    const digests = new Set([...this.cohorts.values()].map(({ digest }) => digest));
    for (const digest of this.bundles.keys()) if (!digests.has(digest)) this.bundles.delete(digest);
    const revisions = new Set(this.snapshot.policies.map(({ id, revision }) => `${id}@${revision}`));
    for (const name of this.documents.keys()) if (!revisions.has(name)) this.documents.delete(name);
  }

  #witness(): { witness?: string[] } {
    return this.demanded === 0 ? {} : { witness: [...this.cosignatures.values()].slice(0, this.demanded) };
  }

  /** @returns undefined for a device without a place, and while witnesses have not cosigned */
  membershipFrame(device: string): MembershipFrame | undefined {
    const place = this.devices.get(device);
    if (place?.cohort === undefined || this.checkpoint === undefined || !this.isWitnessed) return undefined;
    return {
      type: 'membership',
      checkpoint: this.checkpoint.jws,
      member: { leaf: this.#memberLeaf(device, place.index, place.cohort), proof: this.members.proof(place.index) },
      ...this.#witness(),
    };
  }

  stateFrame(id: string, withBundle: boolean): StateFrame | undefined {
    const cohort = this.cohorts.get(id);
    const bundle = cohort && this.bundles.get(cohort.digest);
    if (cohort === undefined || bundle === undefined || this.checkpoint === undefined || !this.isWitnessed) return undefined;
    return {
      type: 'state',
      checkpoint: this.checkpoint.jws,
      cohort: { leaf: this.#cohortLeaf(cohort), proof: this.tree.proof(cohort.index) },
      manifest: bundle.manifest,
      bundle: withBundle ? bundle.text : null,
      ...this.#witness(),
    };
  }

  #memberLeaf(device: string, index: number, cohort: string | undefined): MembershipFrame['member']['leaf'] {
    const state = cohort === undefined ? undefined : this.cohorts.get(cohort);
    return state === undefined
      ? { org: this.org, index, device: '', cohort: '', cohortIndex: 0 }
      : { org: this.org, index, device, cohort: state.id, cohortIndex: state.index };
  }

  #cohortLeaf({ id, index, serial, digest }: CohortState): StateFrame['cohort']['leaf'] {
    return { org: this.org, index, cohort: id, serial, digest };
  }
}
