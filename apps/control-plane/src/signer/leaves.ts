/** The leaves of both trees as the signer signed them last, and what a request makes of them. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { Change } from '@cordon/policy/approval/judge.ts';
import { cohortLeafBytes, memberLeafBytes, type CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { MerkleTree } from '@cordon/policy/trust/merkle.ts';
import type { CheckpointRequest } from './contract.ts';

/** A place of the members tree; both empty: nobody's. */
export interface Member {
  readonly device: string;
  readonly cohort: string;
}
export interface Cohort {
  readonly id: string;
  readonly digest: string;
  readonly serial: number;
}

/** What a request changes, checked against itself and against what it applies to. */
export interface Plan {
  /** Whether these are all leaves, in place of those that were. */
  readonly whole: boolean;
  readonly members: ReadonlyMap<number, Member>;
  readonly cohorts: ReadonlyMap<number, Cohort>;
  /** Places whose leaf is another than before, those that fall away included. */
  readonly altered: boolean;
}

const refuse = (message: string): never => {
  throw new CordonError('signer.refused', message);
};

/** Sorted by place, each place once, and without a hole beyond `size`. */
const inPlaces = <T extends readonly [number, ...unknown[]]>(entries: readonly T[], size: number): readonly T[] => {
  const sorted = entries.toSorted(([a], [b]) => a - b);
  let next = size;
  sorted.forEach(([index], i) => {
    if (i > 0 && sorted[i - 1]?.[0] === index) refuse(`place ${index} is given twice`);
    if (index > next) refuse(`place ${index} would leave a hole`);
    if (index === next) next += 1;
  });
  return sorted;
};

export class Leaves {
  readonly org: string;
  #members: Member[] = [];
  #cohorts: Cohort[] = [];
  #devices = new Map<string, number>();
  #places = new Map<string, number>();
  #memberTree = new MerkleTree();
  #cohortTree = new MerkleTree();

  constructor(org: string) {
    this.org = org;
  }

  get members(): readonly Member[] {
    return this.#members;
  }
  get cohorts(): readonly Cohort[] {
    return this.#cohorts;
  }
  get roots(): Pick<CheckpointPayload, 'members' | 'cohorts'> {
    const of = (tree: MerkleTree): { size: number; root: string } => ({ size: tree.size, root: tree.root() });
    return { members: of(this.#memberTree), cohorts: of(this.#cohortTree) };
  }

  /** The cohort in which a device stands. */
  memberOf(device: string): string | undefined {
    return this.#members[this.#devices.get(device) ?? -1]?.cohort;
  }

  cohortOf(id: string): Cohort | undefined {
    return this.#cohorts[this.#places.get(id) ?? -1];
  }

  /** @throws CordonError `signer.refused` */
  plan({ base, members, cohorts }: Pick<CheckpointRequest, 'base' | 'members' | 'cohorts'>): Plan {
    const whole = base === null;
    const given = new Map(
      inPlaces(members, whole ? 0 : this.#members.length).map(([index, device, cohort]) => {
        if ((device === '') !== (cohort === '')) refuse(`place ${index} has a device without a cohort, or a cohort without a device`);
        return [index, { device, cohort }] as const;
      }),
    );
    const groups = new Map(
      inPlaces(cohorts, whole ? 0 : this.#cohorts.length).map(([index, id, digest, serial]) => [index, { id, digest, serial }] as const),
    );
    const plan: Plan = { whole, members: given, cohorts: groups, altered: this.#alters(whole, given, groups) };
    this.#checkNames(plan);
    return plan;
  }

  #alters(whole: boolean, members: Plan['members'], cohorts: Plan['cohorts']): boolean {
    if (whole && (members.size < this.#members.length || cohorts.size < this.#cohorts.length)) return true;
    for (const [index, { device, cohort }] of members) {
      const had = this.#members[index];
      if (had === undefined ? device !== '' : had.device !== device || had.cohort !== cohort) return true;
    }
    for (const [index, { id, digest, serial }] of cohorts) {
      const had = this.#cohorts[index];
      if (had?.id !== id || had.digest !== digest || had.serial !== serial) return true;
    }
    return false;
  }

  /** A device stands at one place, a cohort too; a cohort keeps its name, and a device's cohort is there. */
  #checkNames({ whole, members, cohorts }: Plan): void {
    const seen = new Map<string, number>();
    for (const [index, { device }] of members) {
      if (device === '') continue;
      if (seen.has(device)) refuse(`device ${device} would stand at two places`);
      seen.set(device, index);
      const at = whole ? undefined : this.#devices.get(device);
      if (at !== undefined && at !== index && (members.get(at)?.device ?? device) === device)
        refuse(`device ${device} stands at place ${at} already`);
    }
    const named = new Map<string, number>();
    for (const [index, { id, serial }] of cohorts) {
      if (named.has(id)) refuse(`cohort ${id} would stand at two places`);
      named.set(id, index);
      const had = whole ? undefined : this.#cohorts[index];
      if (had !== undefined && had.id !== id) refuse(`place ${index} is that of cohort ${had.id}`);
      if (had !== undefined && serial < had.serial) refuse(`the serial of cohort ${id} would fall`);
      const at = whole ? undefined : this.#places.get(id);
      if (at !== undefined && at !== index) refuse(`cohort ${id} stands at place ${at} already`);
    }
    for (const { cohort } of members.values())
      if (cohort !== '' && !named.has(cohort) && (whole || !this.#places.has(cohort))) refuse(`there is no cohort ${cohort}`);
  }

  /** Every device that stands in a cohort afterwards and may get another bundle; what it had is what stood at its own place. */
  *changes(plan: Plan): Generator<Change> {
    const { whole, members, cohorts } = plan;
    const given = new Map([...cohorts.values()].map((cohort) => [cohort.id, cohort.digest]));
    const digestAfter = (id: string): string => given.get(id) ?? this.cohortOf(id)?.digest ?? '';
    const digestBefore = (id: string): string | undefined => this.cohortOf(id)?.digest;
    for (const [index, { device, cohort }] of members) {
      if (cohort === '') continue;
      const had = this.#members[index];
      const before = had?.device === device ? digestBefore(had.cohort) : undefined;
      yield { device, before, cohort, after: digestAfter(cohort) };
    }
    if (whole) return;
    const changed = new Set([...given].filter(([id, digest]) => digestBefore(id) !== digest).map(([id]) => id));
    if (changed.size === 0) return;
    for (const [index, { device, cohort }] of this.#members.entries())
      if (changed.has(cohort) && !members.has(index)) yield { device, before: digestBefore(cohort), cohort, after: digestAfter(cohort) };
  }

  /** Cohorts in which somebody is afterwards, and the digests of their bundles. */
  living(plan: Plan): ReadonlyMap<string, string> {
    const given = new Map([...plan.cohorts.values()].map((cohort) => [cohort.id, cohort.digest]));
    const living = new Map<string, string>();
    const add = (cohort: string): void => {
      if (cohort !== '' && !living.has(cohort)) living.set(cohort, given.get(cohort) ?? this.cohortOf(cohort)?.digest ?? '');
    };
    for (const { cohort } of plan.members.values()) add(cohort);
    if (!plan.whole) for (const [index, { cohort }] of this.#members.entries()) if (!plan.members.has(index)) add(cohort);
    return living;
  }

  /** Applies a plan to both trees only: then `roots` are what the payload must say. Either `commit` or `rebuild` follows. */
  hash({ whole, members, cohorts }: Plan): void {
    if (whole) [this.#memberTree, this.#cohortTree] = [new MerkleTree(), new MerkleTree()];
    const places = new Map([...cohorts].map(([index, { id }]) => [id, index]));
    const placeOf = (id: string): number => places.get(id) ?? this.#places.get(id) ?? 0;
    this.#cohortTree.setAll([...cohorts].map(([index, cohort]) => [index, this.#cohortLeaf(index, cohort)]));
    this.#memberTree.setAll([...members].map(([index, member]) => [index, this.#memberLeaf(index, member, placeOf)]));
  }

  commit({ whole, members, cohorts }: Plan): void {
    if (whole) {
      [this.#members, this.#cohorts] = [[], []];
      this.#devices.clear();
      this.#places.clear();
    }
    for (const [index, { device }] of members) {
      const had = this.#members[index]?.device;
      if (had !== undefined && had !== '' && had !== device) this.#devices.delete(had);
    }
    for (const [index, member] of members) {
      this.#members[index] = member;
      if (member.device !== '') this.#devices.set(member.device, index);
    }
    for (const [index, cohort] of cohorts) {
      this.#cohorts[index] = cohort;
      this.#places.set(cohort.id, index);
    }
  }

  /** The trees as the leaves are: after a plan that was hashed and not committed. */
  rebuild(): void {
    const placeOf = (id: string): number => this.#places.get(id) ?? 0;
    [this.#memberTree, this.#cohortTree] = [new MerkleTree(), new MerkleTree()];
    this.#cohortTree.setAll(this.#cohorts.map((cohort, index) => [index, this.#cohortLeaf(index, cohort)]));
    this.#memberTree.setAll(this.#members.map((member, index) => [index, this.#memberLeaf(index, member, placeOf)]));
  }

  #cohortLeaf(index: number, { id, digest, serial }: Cohort): Buffer {
    return cohortLeafBytes({ org: this.org, index, cohort: id, serial, digest });
  }

  #memberLeaf(index: number, { device, cohort }: Member, placeOf: (id: string) => number): Buffer {
    return memberLeafBytes({ org: this.org, index, device, cohort, cohortIndex: cohort === '' ? 0 : placeOf(cohort) });
  }
}
