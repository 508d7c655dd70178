/** The one way that published state changes: what is decided becomes rows, leaves, a signed checkpoint and a notification, or nothing does. */
import { CHECKPOINT_LIFETIME_MS, type CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { skipOf } from '@cordon/policy/trust/history.ts';
import { auditHead } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { newId } from '../ids.ts';
import type { StoredProposal } from '../proposals/proposals.ts';
import type { SignerHead } from '../signer/contract.ts';
import { ensureBundle, loadDocuments } from './bundles.ts';
import type { Snapshot } from './cohorts.ts';
import { recordLeaves } from './leaf-record.ts';
import { load } from './load.ts';
import type { Advance, Changes, CohortState } from './published.ts';
import { baseOf, bringAlong, requestFor, type Base } from './to-sign.ts';
import {
  currentSerial,
  digestAt,
  lockPublishing,
  newestCheckpoint,
  nextSerial,
  notify,
  readNewMembers,
  writeCohorts,
  writePlaces,
  type CheckpointRow,
} from './store.ts';

/** What a publisher has decided; everything else follows from it. */
export interface Decision {
  readonly snapshot: Snapshot;
  /** Cohorts whose bundle must be the snapshot's, by key. */
  readonly wanted: ReadonlyMap<string, readonly string[]>;
  /** Devices and the key of their cohort; undefined is no cohort. Those that stay are passed over. */
  readonly placement: ReadonlyMap<string, string | undefined>;
  /** For each cohort the sets of open groups that its devices are in, by the cohort's key: what the signer tries. */
  readonly claims: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** What is being published with people's approval; undefined: what is published only narrows, or was approved before. */
  readonly proposal: StoredProposal | undefined;
  /** A new serial and checkpoint even when no leaf changes. */
  readonly always: 'serial' | 'checkpoint' | undefined;
}

/** What a transition did, for the rows that the caller adds in the same transaction. */
export interface Effect {
  readonly serial: number;
  readonly changed: readonly CohortState[];
  readonly moves: readonly { readonly device: string; readonly cohort: string | undefined }[];
}

interface Steps {
  decide(tx: Tx): Promise<Decision>;
  /** Change set and audit entry: written before the checkpoint, which covers the audit log's head. */
  record?(tx: Tx, effect: Effect, decision: Decision): Promise<void>;
}

/** Its place among those of the epoch, and those that it names. A new epoch begins anew: what was before it may be lost. */
const follow = async (
  tx: Tx,
  newest: CheckpointRow | null,
  epoch: number,
): Promise<Pick<CheckpointPayload, 'number' | 'previous' | 'skip'>> => {
  if (newest?.epoch !== epoch) return { number: 0, previous: null, skip: null };
  const number = newest.number + 1;
  const skip = skipOf(number);
  // One that is not kept any more is not named: no walk that could be answered leads there.
  return { number, previous: newest.digest, skip: skip === newest.number ? newest.digest : await digestAt(tx, epoch, skip) };
};

interface Signed {
  readonly newest: CheckpointRow | null;
  readonly serial: number;
  readonly head: SignerHead;
  readonly base: Base;
  readonly changes: Changes;
  readonly decision: Decision;
}

const signCheckpoint = async (tx: Tx, context: Context, { serial, newest, ...rest }: Signed): Promise<void> => {
  const { published, signer, clock, organisation } = context;
  const issuedAt = clock();
  const expiresAt = new Date(issuedAt.getTime() + CHECKPOINT_LIFETIME_MS);
  const { epoch } = organisation;
  const audit = await auditHead(tx);
  const place = await follow(tx, newest, epoch);
  const payload: CheckpointPayload = {
    format: 'cordon-checkpoint/1',
    org: published.org,
    epoch,
    serial,
    issuedAt: issuedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    audit: { seq: audit.seq, head: audit.hash },
    members: { size: published.members.size, root: published.members.root() },
    cohorts: { size: published.tree.size, root: published.tree.root() },
    ...place,
  };
  const jws = await signer.signCheckpoint(await requestFor(tx, context, { payload, ...rest }));
  published.signed = serial;
  const digest = sha256Hex(Buffer.from(jws.split('.')[1] ?? '', 'base64url'));
  await tx.checkpoint.create({ data: { epoch, serial, number: place.number, jws, digest, createdAt: issuedAt, expiresAt } });
  await notify(tx, digest);
  published.checkpoint = { jws, digest, epoch, serial, issuedAt, expiresAt };
};

/**
 * Whether the signer is ahead because a transaction failed after it had signed: then the next one begins above what was signed. Further ahead than this process
 * or a crash explains, it is the database that is older: that is for the root to settle, and the signer refuses.
 */
const isUnfinished = ({ published, organisation }: Context, { epoch, serial }: SignerHead, current: number): boolean =>
  epoch === organisation.epoch && serial > current && (serial === current + 1 || serial === published.signed);

/** The cohorts that are new or get other bytes; a new one is appended to the tree. */
const changedCohorts = async (tx: Tx, context: Context, { wanted, snapshot }: Decision): Promise<Omit<CohortState, 'serial'>[]> => {
  const { published } = context;
  const changed: Omit<CohortState, 'serial'>[] = [];
  let index = published.tree.size;
  for (const [key, assignments] of wanted) {
    const digest = await ensureBundle(tx, context, assignments, snapshot);
    const id = published.byKey.get(key);
    const known = id === undefined ? undefined : published.cohorts.get(id);
    if (known === undefined) changed.push({ id: newId('coh'), key, index: index++, digest, assignments });
    else if (known.digest !== digest) changed.push({ ...known, digest, assignments });
    else if (known.assignments === undefined) published.cohorts.set(known.id, { ...known, assignments });
  }
  return changed;
};

/** Runs one transition in one transaction. @returns what it did; `advance` is undefined when there was nothing to do */
export const transition = ({ decide, record }: Steps, context: Context): Promise<Effect & { readonly advance: Advance | undefined }> =>
  context.published.serialise(async () => {
    const { published, prisma } = context;
    let release: (() => void) | undefined;
    let undo: (() => void) | undefined;
    const bundles = new Map(published.bundles);
    try {
      const result = await prisma.$transaction(async (tx) => {
        await lockPublishing(tx);
        const newest = await newestCheckpoint(tx);
        if (newest === null || newest.digest !== published.checkpoint?.digest) {
          const missed = await load(tx, published);
          if (missed !== undefined) published.announce(missed);
        }
        const head = await bringAlong(tx, context);
        const decision = await decide(tx);
        await loadDocuments(tx, published, decision.snapshot);
        const drafts = await changedCohorts(tx, context, decision);
        const ids = new Map([...published.byKey, ...drafts.map(({ key, id }): [string, string] => [key, id])]);
        const joining = await readNewMembers(tx, published.members.size);
        const moves = [...decision.placement].flatMap(([device, key]) => {
          const cohort = key === undefined ? undefined : ids.get(key);
          return published.devices.get(device)?.cohort === cohort ? [] : [{ device, cohort }];
        });
        // The first of an epoch concerns everybody: what devices hold is of the one before.
        const renewed = decision.always === 'checkpoint' || published.checkpoint?.epoch !== context.organisation.epoch;
        const current = await currentSerial(tx);
        const unfinished = isUnfinished(context, head, current);
        const isDue = renewed || joining.length > 0;
        const grows = decision.always === 'serial' || drafts.length > 0 || moves.length > 0 || (isDue && (newest === null || unfinished));
        if (!grows && !isDue) return { serial: newest?.serial ?? 0, changed: [], moves: [], advance: undefined };
        const added = drafts.filter(({ index }) => index >= published.tree.size).length;
        const serial = grows ? await nextSerial(tx, added, (unfinished ? head.serial : current) + 1) : current;
        const changed = drafts.map((draft): CohortState => ({ ...draft, serial }));
        const at = context.clock();
        if (changed.length > 0) await writeCohorts(tx, changed, at);
        if (moves.length > 0) await writePlaces(tx, moves, at);
        await record?.(tx, { serial, changed, moves }, decision);
        const changes = { cohorts: changed, joining, moves };
        await recordLeaves(tx, published, changes, serial, at);
        release = await published.acquire();
        const base = baseOf(published);
        undo = published.apply(changes);
        await signCheckpoint(tx, context, { serial, newest, head, base, decision, changes });
        undo = undefined;
        published.snapshot = decision.snapshot;
        published.tidy();
        const advance = {
          serial,
          cohorts: new Set(changed.map(({ id }) => id)),
          devices: new Set(moves.map(({ device }) => device)),
          renewed,
        };
        return { serial, changed, moves, advance };
      });
      release?.();
      if (result.advance !== undefined) published.announce(result.advance);
      return result;
    } catch (error) {
      // Nothing of it is in the database, unless the end of the transaction was on its way: then nobody knows.
      published.bundles.clear();
      for (const [digest, bundle] of bundles) published.bundles.set(digest, bundle);
      if (undo !== undefined) undo();
      else if (release !== undefined) published.invalidate();
      release?.();
      throw error;
    }
  });
