/** Everything that the signer knows, in memory and on disk: both change together, on disk first, or not at all. */
import fs from 'node:fs';
import path from 'node:path';
import type { Standing } from '@cordon/policy/approval/walk.ts';
import { NOTHING_APPROVED } from '@cordon/policy/approval/walk.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { rootFingerprint, verifyRootChain, type TrustedRoot } from '@cordon/policy/trust/root.ts';
import { writeDurably } from '../durable.ts';
import { isBelow, readHighWater, type HighWater, type Mark } from './decide.ts';
import { Knowledge } from './knowledge.ts';
import { Leaves, type Plan } from './leaves.ts';
import { markOf, standingOf } from './standing.ts';
import { StateFile, type Loaded, type Summary } from './state-file.ts';
import type { TargetToKnow } from './contract.ts';

const damaged = (what: string, cause?: unknown): CordonError =>
  new CordonError(
    'signer.state',
    `the signer's state is damaged (${what}): restore its folder from the backup`,
    cause === undefined ? {} : { cause },
  );

/** What is signed next, as it will be. */
export interface Next {
  readonly high: HighWater;
  readonly standing: Standing;
  readonly plan: Plan;
  readonly payload: Pick<CheckpointPayload, 'members' | 'cohorts'>;
  readonly knowledge: Knowledge;
}

/** The newest root of a chain that was verified when it was taken; whether it has expired is for whoever uses it. */
const trusted = (roots: readonly string[], fingerprint: string): Promise<TrustedRoot> => verifyRootChain(roots, fingerprint, new Date(0));

const payloadOf = (root: string): unknown => (JSON.parse(root) as { payload?: unknown }).payload;

export class Memory {
  readonly #file: StateFile;
  readonly #markFile: string;
  #mark: HighWater;
  /** Whether the mark says that there is a state. */
  #marked = false;
  high: HighWater = { epoch: 0, serial: 0 };
  fingerprint: string | null = null;
  roots: readonly string[] = [];
  root: TrustedRoot | undefined;
  standingEpoch = 0;
  standing: Standing = NOTHING_APPROVED;
  leaves = new Leaves('');
  knowledge = new Knowledge(new Map(), new Map());
  adopts = false;

  private constructor(file: StateFile, markFile: string, mark: HighWater) {
    this.#file = file;
    this.#markFile = markFile;
    this.#mark = mark;
  }

  /** @param stateFile the SQLite file; @param markFile the mark beside it. @throws CordonError `signer.state`, `json.*` */
  static async open(stateFile: string, markFile: string): Promise<Memory> {
    const mark: Mark | undefined = fs.existsSync(markFile) ? readHighWater(fs.readFileSync(markFile, 'utf8')) : undefined;
    if (mark?.state !== undefined && !fs.existsSync(stateFile)) throw damaged(`${path.basename(stateFile)} is missing`);
    const file = new StateFile(stateFile);
    try {
      const loaded = file.load();
      const memory = new Memory(file, markFile, mark ?? { epoch: 0, serial: 0 });
      if (loaded === undefined) {
        if (mark?.state !== undefined) throw damaged(`${path.basename(stateFile)} is empty`);
        memory.high = mark ?? memory.high;
        memory.adopts = mark !== undefined;
        return memory;
      }
      const { epoch, serial } = loaded.summary;
      if (mark === undefined && (epoch > 0 || serial > 0)) throw damaged(`${path.basename(markFile)} is missing`);
      await memory.#restore(loaded);
      memory.#marked = mark?.state !== undefined;
      if (!isBelow(memory.high, memory.#mark)) memory.#writeMark();
      return memory;
    } catch (error) {
      file.close();
      // Whatever does not fit together in it: a target without its lists, a root that its fingerprint does not name.
      if (!(error instanceof CordonError) || error.code === 'signer.state') throw error;
      throw damaged(error.message, error);
    }
  }

  /** As it lies beside the state. Above `high` when an older state was put back. */
  get mark(): HighWater {
    return this.#mark;
  }

  /** @throws CordonError `signer.roots` for a chain that does not go on from the one that is known, `root.*` */
  async takeRoots(roots: readonly string[], now: Date): Promise<void> {
    const fingerprint = this.fingerprint ?? rootFingerprint(roots[0] ?? '{"payload":""}');
    const root = await verifyRootChain(roots, fingerprint, now);
    if (roots.length < this.roots.length || this.roots.some((known, i) => payloadOf(known) !== payloadOf(roots[i] ?? '{}')))
      throw new CordonError('signer.roots', 'these roots do not go on from those that the signer knows: an older chain, or another');
    const { org, epoch } = root.document;
    const isNewEpoch = epoch > this.standingEpoch;
    const [standing, standingEpoch] = isNewEpoch ? [NOTHING_APPROVED, epoch] : [this.standing, this.standingEpoch];
    const leaves = this.root === undefined ? new Leaves(org) : this.leaves;
    if (roots.length === this.roots.length && !isNewEpoch) return;
    this.#file.save({
      summary: { ...this.#summary(), fingerprint, roots: sha256Hex(canonicalJson(roots)), standing: markOf(standing), standingEpoch },
      roots,
      ...(isNewEpoch && { targets: [] }),
    });
    Object.assign(this, { fingerprint, roots, root, standing, standingEpoch, leaves });
    this.#writeMark();
  }

  /** @throws CordonError `signer.refused` when the leaves do not give the roots that are to be signed, `signer.state` */
  keep({ high, standing, plan, payload, knowledge }: Next): void {
    const { leaves } = this;
    const { members, cohorts } = payload;
    try {
      leaves.hash(plan);
      const roots = leaves.roots;
      if (
        roots.members.root !== members.root ||
        roots.members.size !== members.size ||
        roots.cohorts.root !== cohorts.root ||
        roots.cohorts.size !== cohorts.size
      )
        throw new CordonError('signer.refused', 'the leaves do not give the roots that are to be signed');
      this.#file.save({
        summary: { ...this.#summary(), ...high, standing: markOf(standing), members, cohorts, adopts: false },
        members: this.#other(plan.members, leaves.members, (a, b) => a.device === b.device && a.cohort === b.cohort),
        cohorts: this.#other(plan.cohorts, leaves.cohorts, (a, b) => a.id === b.id && a.digest === b.digest && a.serial === b.serial),
        ...this.knowledge.changesTo(knowledge),
        ...(standing !== this.standing && { targets: targetsOf(standing) }),
      });
    } catch (error) {
      leaves.rebuild();
      throw error;
    }
    leaves.commit(plan);
    Object.assign(this, { high, standing, knowledge, adopts: false });
    this.#writeMark();
  }

  close(): void {
    this.#file.close();
  }

  #other<T>(given: ReadonlyMap<number, T>, had: readonly T[], equal: (a: T, b: T) => boolean): ReadonlyMap<number, T> {
    return new Map([...given].filter(([index, one]) => had[index] === undefined || !equal(had[index], one)));
  }

  #summary(): Summary {
    const { fingerprint, roots, standing, standingEpoch, leaves, adopts } = this;
    const { epoch, serial } = this.high;
    return {
      format: 'cordon-signer/1',
      epoch,
      serial,
      fingerprint,
      roots: sha256Hex(canonicalJson(roots)),
      standingEpoch,
      standing: markOf(standing),
      ...leaves.roots,
      adopts,
    };
  }

  #writeMark(): void {
    const { epoch, serial } = this.high;
    if (this.#mark.epoch === epoch && this.#mark.serial === serial && this.#marked) return;
    writeDurably(this.#markFile, JSON.stringify({ epoch, serial, state: 'state.sqlite' }));
    this.#mark = { epoch, serial };
    this.#marked = true;
  }

  async #restore({ summary, roots, members, cohorts, bundles, documents, targets }: Loaded): Promise<void> {
    const { epoch, serial, fingerprint, standingEpoch, adopts } = summary;
    const root = fingerprint === null ? undefined : await trusted(roots, fingerprint);
    const leaves = new Leaves(root?.document.org ?? '');
    leaves.commit({ whole: true, members: new Map(members.entries()), cohorts: new Map(cohorts.entries()), altered: false });
    leaves.rebuild();
    if (canonicalJson(leaves.roots) !== canonicalJson({ members: summary.members, cohorts: summary.cohorts }))
      throw damaged('its leaves are others');
    const knowledge = new Knowledge(bundles, documents);
    const standing = standingOf(summary.standing, targets);
    for (const { cohort } of members)
      if (cohort !== '' && !bundles.has(leaves.cohortOf(cohort)?.digest ?? '')) throw damaged('a bundle that devices have is missing');
    Object.assign(this, { high: { epoch, serial }, fingerprint, roots, root, standing, standingEpoch, leaves, knowledge, adopts });
  }
}

const targetsOf = ({ approved, before }: Standing): readonly TargetToKnow[] =>
  [approved, before].flatMap((one) => (one === undefined ? [] : [{ target: one.target, lists: asRecord(one.lists), documents: [] }]));

const asRecord = (lists: Readonly<Record<string, readonly string[]>>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(lists).map(([group, devices]) => [group, [...devices]]));
