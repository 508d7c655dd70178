/** Brings the copy in memory to what the database says, and says what that changed. */
import { Buffer } from 'node:buffer';
import { CordonError } from '@cordon/policy/errors.ts';
import { MerkleTree } from '@cordon/policy/trust/merkle.ts';
import type { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import type { Context, Tx } from '../context.ts';
import type { Advance, CheckpointState, Published } from './published.ts';
import { newestCheckpoint, readBundles, readCohorts, readMembers, readSnapshot, shareLock, type CheckpointRow } from './store.ts';

const payloadOf = (jws: string): CheckpointPayload =>
  JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as CheckpointPayload;

export const checkpointState = (row: CheckpointRow): CheckpointState => ({
  jws: row.jws,
  digest: row.digest,
  epoch: row.epoch,
  serial: row.serial,
  issuedAt: row.createdAt,
  expiresAt: row.expiresAt,
});

/**
 * Reads everything inside the caller's transaction, which holds the publishing lock (its own or shared).
 * @returns what is new, or undefined when the database has no checkpoint or its rows do not give the roots that were signed
 */
export const load = async (tx: Tx, published: Published): Promise<Advance | undefined> => {
  const newest = await newestCheckpoint(tx);
  const [members, cohorts, snapshot] = [await readMembers(tx), await readCohorts(tx), await readSnapshot(tx)];
  const bundles = await readBundles(tx, [...new Set(cohorts.map(({ digest }) => digest))]);
  const release = await published.acquire();
  try {
    const before = {
      serial: published.checkpoint?.serial,
      issuedAt: published.checkpoint?.issuedAt,
      cohorts: new Map(published.cohorts),
      devices: new Map(published.devices),
    };
    published.checkpoint = undefined;
    for (const map of [published.cohorts, published.byKey, published.devices]) map.clear();
    published.members = new MerkleTree();
    published.tree = new MerkleTree();
    if (snapshot !== undefined) published.snapshot = snapshot;
    for (const { digest, ...bundle } of bundles) published.bundles.set(digest, bundle);
    for (const cohort of cohorts) published.putCohort({ ...cohort, assignments: before.cohorts.get(cohort.id)?.assignments });
    if (newest === null) return undefined;
    const signed = payloadOf(newest.jws);
    for (const { id, index, cohort } of members.slice(0, signed.members.size)) published.place(id, index, cohort ?? undefined);
    if (published.members.root() !== signed.members.root || published.tree.root() !== signed.cohorts.root) return undefined;
    published.checkpoint = checkpointState(newest);
    published.tidy();
    return {
      serial: newest.serial,
      cohorts: new Set(
        cohorts
          .filter(({ id, serial, digest }) => before.cohorts.get(id)?.serial !== serial || before.cohorts.get(id)?.digest !== digest)
          .map(({ id }) => id),
      ),
      devices: new Set([...published.devices].filter(([id, { cohort }]) => before.devices.get(id)?.cohort !== cohort).map(([id]) => id)),
      renewed: before.serial === newest.serial && before.issuedAt?.getTime() !== newest.createdAt.getTime(),
    };
  } finally {
    release();
  }
};

/**
 * Makes sure that the copy is the newest state; cheap when it is. Called on a notification, after the database was gone, and before use when invalid.
 * @throws CordonError publish.not-ready while nothing consistent has been published
 */
export const resync = async (context: Context): Promise<void> => {
  const { published, prisma } = context;
  await prisma.$transaction(async (tx) => {
    await shareLock(tx);
    const newest = await newestCheckpoint(tx);
    if (newest !== null && newest.digest === published.checkpoint?.digest) return;
    const advance = await load(tx, published);
    if (advance !== undefined) published.announce(advance);
  });
  if (published.checkpoint === undefined)
    throw new CordonError('publish.not-ready', 'the stored state has no checkpoint that fits it; publish or restart to sign one', {
      retryable: true,
    });
};
