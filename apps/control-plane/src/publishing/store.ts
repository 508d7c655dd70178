/** Where published state is kept. Every function runs inside the caller's transaction; bulk statements, never one per device. */
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Tx } from '../context.ts';
import type { ChangeSet, PrismaClient } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import {
  snapshotIn,
  type PublishedAssignment,
  type PublishedException,
  type PublishedPolicy,
  type Snapshot,
  type StoredSnapshot,
} from './cohorts.ts';

/** Publishers wait for each other here, in all replicas; readers of a whole state share it. Ends with the transaction. */
export const lockPublishing = async (tx: Tx): Promise<void> => {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(1129272402, 3)`;
};
export const shareLock = async (tx: Tx): Promise<void> => {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock_shared(1129272402, 3)`;
};

export interface CheckpointRow {
  readonly epoch: number;
  readonly serial: number;
  readonly number: number;
  readonly jws: string;
  readonly digest: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export const newestCheckpoint = (tx: Tx): Promise<CheckpointRow | null> => tx.checkpoint.findFirst({ orderBy: { id: 'desc' } });

/** What the checkpoint at a place is named by; null when it is not kept any more. */
export const digestAt = async (tx: Tx, epoch: number, number: number): Promise<string | null> =>
  (await tx.checkpoint.findUnique({ where: { epoch_number: { epoch, number } }, select: { digest: true } }))?.digest ?? null;

/** A change set is one row, and is held in memory by every replica. */
const MAX_ASSIGNMENTS = 20_000;

/** The draft as it stands: newest revisions of the policies that are assigned, and the assignments. @throws CordonError publish.too-large */
export const readDraft = async (tx: Tx, now: Date): Promise<Snapshot> => {
  const policies = await tx.$queryRaw<PublishedPolicy[]>`
    SELECT p.id, p.name, max(r.revision) AS revision FROM policy p JOIN policy_revision r ON r.policy_id = p.id
    WHERE p.archived_at IS NULL AND EXISTS (SELECT 1 FROM assignment a WHERE a.policy_id = p.id AND a.mode = 'include')
    GROUP BY p.id, p.name ORDER BY p.id`;
  const assignments = await tx.$queryRaw<PublishedAssignment[]>`
    SELECT a.id, a.policy_id AS "policyId", a.group_id AS "groupId", g.name AS "groupName", g.kind = 'all' AS everyone, a.mode
    FROM assignment a JOIN device_group g ON g.id = a.group_id JOIN policy p ON p.id = a.policy_id
    WHERE p.archived_at IS NULL ORDER BY a.id LIMIT ${MAX_ASSIGNMENTS + 1}`;
  if (assignments.length > MAX_ASSIGNMENTS)
    throw new CordonError(
      'publish.too-large',
      `there are more than ${MAX_ASSIGNMENTS} assignments: assign policies to larger groups instead; nothing was published`,
    );
  const exceptions = await tx.$queryRaw<PublishedException[]>`
    SELECT e.id, e.name, to_char(e.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "expiresAt", e.change,
      e.group_id AS "groupId", coalesce(g.name, d.name) AS "groupName", coalesce(g.kind = 'all', false) AS everyone
    FROM exception_grant e LEFT JOIN device_group g ON g.id = e.group_id LEFT JOIN device d ON d.id = e.group_id AND d.revoked_at IS NULL
    WHERE e.ended_at IS NULL AND e.expires_at > ${now} AND (g.id IS NOT NULL OR d.id IS NOT NULL) ORDER BY e.id`;
  return { policies, assignments, exceptions };
};

/** Which of these exceptions nobody has ended, and time has not either. */
export const livingExceptions = async (tx: Tx, ids: readonly string[], now: Date): Promise<ReadonlySet<string>> => {
  if (ids.length === 0) return new Set();
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM exception_grant WHERE id = ANY(${[...ids]}::text[]) AND ended_at IS NULL AND expires_at > ${now}`;
  return new Set(rows.map(({ id }) => id));
};

export const readSnapshot = async (tx: Tx): Promise<Snapshot | undefined> => {
  const rows = await tx.$queryRaw<
    { content: StoredSnapshot }[]
  >`SELECT content FROM change_set WHERE state = 'published' ORDER BY serial DESC LIMIT 1`;
  const [row] = rows;
  return row && snapshotIn(row.content);
};

export const readDocuments = async (
  tx: Tx,
  wanted: readonly PublishedPolicy[],
): Promise<{ policy: string; revision: number; document: PolicyDocument }[]> =>
  tx.$queryRaw`
    SELECT r.policy_id AS policy, r.revision, r.document FROM policy_revision r
    JOIN unnest(${wanted.map(({ id }) => id)}::text[], ${wanted.map(({ revision }) => revision)}::int[]) AS w(id, revision) ON r.policy_id = w.id AND r.revision = w.revision`;

export interface DeviceGroups {
  readonly id: string;
  readonly groups: readonly string[];
  /** It ended, or waits for an administrator: no place. */
  readonly revoked: boolean;
  /** It is kept from launching anything: whatever its groups give, it has no policy. */
  readonly quarantined: boolean;
  /** Why it waits for an approval; null: it does not. */
  readonly awaiting: string | null;
}

/** Of every device, or of those named: which of these groups it is a member of, sorted; it is a group of itself. */
export const readDeviceGroups = async (tx: Tx, groups: readonly string[], only: readonly string[] | undefined): Promise<DeviceGroups[]> => {
  const rows = await tx.$queryRaw<{ id: string; groups: string | null; revoked: boolean; quarantined: boolean; awaiting: string | null }[]>`
    SELECT d.id, d.revoked_at IS NOT NULL OR d.approved_at IS NULL AS revoked, d.quarantined_at IS NOT NULL AS quarantined, d.awaiting, m.groups
    FROM device d LEFT JOIN (
      SELECT device_id, string_agg(group_id, ',' ORDER BY group_id COLLATE "C") AS groups FROM (
        SELECT device_id, group_id FROM group_member UNION ALL SELECT id, id FROM device WHERE id = ANY(${[...groups]}::text[])
      ) own
      WHERE group_id = ANY(${[...groups]}::text[]) AND (${only === undefined} OR device_id = ANY(${[...(only ?? [])]}::text[])) GROUP BY device_id
    ) m ON m.device_id = d.id
    WHERE ${only === undefined} OR d.id = ANY(${[...(only ?? [])]}::text[])`;
  return rows.map(({ groups: joined, ...row }) => ({ ...row, groups: joined === null ? [] : joined.split(',') }));
};

/** Who waits for an approval and why, or no longer does. */
export const writeAwaiting = async (tx: Tx, waiting: ReadonlyMap<string, string | null>): Promise<void> => {
  if (waiting.size === 0) return;
  await tx.$executeRaw`
    UPDATE device SET awaiting = nullif(w.why, '') FROM unnest(${[...waiting.keys()]}::text[], ${[...waiting.values()].map((why) => why ?? '')}::text[]) AS w(id, why)
    WHERE device.id = w.id`;
};

export const anyoneWaits = async (tx: Tx): Promise<boolean> => {
  const rows = await tx.$queryRaw<{ waits: boolean }[]>`SELECT EXISTS (SELECT 1 FROM device WHERE awaiting IS NOT NULL) AS waits`;
  return rows[0]?.waits ?? false;
};

/** Devices that the members tree does not have yet, in the order of their positions. */
export const readNewMembers = (tx: Tx, from: number): Promise<{ id: string; index: number }[]> =>
  tx.$queryRaw`SELECT id, member_index AS index FROM device WHERE member_index >= ${from} ORDER BY member_index`;

export const readMembers = (tx: Tx): Promise<{ id: string; index: number; cohort: string | null }[]> =>
  tx.$queryRaw`SELECT id, member_index AS index, cohort_id AS cohort FROM device ORDER BY member_index`;

export const readCohorts = (tx: Tx): Promise<{ id: string; key: string; index: number; serial: number; digest: string }[]> =>
  tx.$queryRaw`SELECT id, key, leaf_index AS index, serial, digest FROM cohort ORDER BY leaf_index`;

export const readBundles = async (
  tx: Tx,
  digests: readonly string[],
): Promise<{ digest: string; text: string; manifest: string; expiresAt: Date }[]> => {
  const rows = await tx.bundle.findMany({ where: { digest: { in: [...digests] } } });
  return rows.map(({ digest, bytes, manifest, expiresAt }) => ({ digest, text: Buffer.from(bytes).toString('utf8'), manifest, expiresAt }));
};

export const writeBundle = async (
  tx: Tx,
  bundle: { readonly digest: string; readonly text: string; readonly manifest: string; readonly expiresAt: Date },
): Promise<void> => {
  const { digest, text, manifest, expiresAt } = bundle;
  await tx.bundle.upsert({
    where: { digest },
    create: { digest, bytes: Buffer.from(text), manifest, expiresAt },
    update: { manifest, expiresAt },
  });
};

export const writeCohorts = async (
  tx: Tx,
  cohorts: readonly {
    readonly id: string;
    readonly key: string;
    readonly index: number;
    readonly serial: number;
    readonly digest: string;
  }[],
  at: Date,
): Promise<void> => {
  await tx.$executeRaw`
    INSERT INTO cohort (id, key, leaf_index, serial, digest, changed_at)
    SELECT *, ${at}::timestamptz FROM unnest(${cohorts.map((c) => c.id)}::text[], ${cohorts.map((c) => c.key)}::text[], ${cohorts.map((c) => c.index)}::int[], ${cohorts.map((c) => c.serial)}::int[], ${cohorts.map((c) => c.digest)}::text[])
    ON CONFLICT (id) DO UPDATE SET serial = excluded.serial, digest = excluded.digest, changed_at = excluded.changed_at`;
};

export const writePlaces = async (
  tx: Tx,
  moves: readonly { readonly device: string; readonly cohort: string | undefined }[],
  at: Date,
): Promise<void> => {
  await tx.$executeRaw`
    UPDATE device SET cohort_id = nullif(m.cohort, ''), placed_at = ${at}::timestamptz
    FROM unnest(${moves.map((m) => m.device)}::text[], ${moves.map((m) => m.cohort ?? '')}::text[]) AS m(id, cohort) WHERE device.id = m.id`;
};

/** Takes a serial above the current one; the organisation's row is locked until the transaction ends. @returns it */
export const nextSerial = async (tx: Tx, newCohorts: number, serial: number): Promise<number> => {
  await tx.organisation.update({ where: { id: 1 }, data: { serial, nextCohort: { increment: newCohorts } } });
  return serial;
};

export const currentSerial = async (tx: Tx): Promise<number> =>
  (await tx.organisation.findUniqueOrThrow({ where: { id: 1 }, select: { serial: true } })).serial;

/** Wakes every replica when, and only if, the transaction commits. */
export const notify = async (tx: Tx, digest: string): Promise<void> => {
  await tx.$executeRaw`SELECT pg_notify('cordon_state', ${digest})`;
};

/** What a change set's row keeps: the snapshot, and the cohorts that got another bundle by it. */
export interface ChangeSetContent extends Snapshot {
  readonly cohorts: readonly string[];
}

export type StoredChangeSet = Omit<ChangeSet, 'content'> & { readonly content: ChangeSetContent };

/** Newest first, without what they put in force. */
export const listChangeSets = (prisma: PrismaClient, cursor: string | undefined, take: number): Promise<Omit<ChangeSet, 'content'>[]> =>
  prisma.changeSet.findMany({
    omit: { content: true },
    where: after(cursor, 'createdAt', 'chg'),
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take,
  });

export const findNewest = (
  prisma: PrismaClient,
): Promise<{ id: string; title: string; serial: number | null; publishedAt: Date | null } | null> =>
  prisma.changeSet.findFirst({
    where: { state: 'published' },
    orderBy: { serial: 'desc' },
    select: { id: true, title: true, serial: true, publishedAt: true },
  });

export const findChangeSet = async (prisma: Tx | PrismaClient, id: string): Promise<StoredChangeSet | null> => {
  const [found] = await prisma.$queryRaw<StoredChangeSet[]>`
    SELECT id, title, state, serial, content, created_by AS "createdBy", created_at AS "createdAt", published_at AS "publishedAt" FROM change_set WHERE id = ${id}`;
  return found ?? null;
};

/** How far the devices in a change set's cohorts have come. A device counts when it enforces this change set's bundle or a later one. */
export const readProgress = async (
  prisma: PrismaClient,
  { serial, publishedAt, content }: StoredChangeSet,
): Promise<{ devices: number; acknowledged: number; failed: number; lastAckMs: number | null }> => {
  const [found] = await prisma.$queryRaw<{ devices: number; acknowledged: number; failed: number; last: Date | null }[]>`
    SELECT count(*)::int AS devices,
      count(*) FILTER (WHERE s.phase = 'enforced' AND s.serial >= ${serial} AND (c.serial <> ${serial} OR s.digest = c.digest))::int AS acknowledged,
      count(*) FILTER (WHERE s.phase = 'failed' AND s.serial >= ${serial})::int AS failed,
      max(s.acked_at) FILTER (WHERE s.phase = 'enforced' AND c.serial = ${serial} AND s.digest = c.digest AND s.acked_at >= ${publishedAt}) AS last
    FROM device d JOIN cohort c ON c.id = d.cohort_id LEFT JOIN device_status s ON s.device_id = d.id
    WHERE d.cohort_id = ANY(${[...content.cohorts]}::text[]) AND d.revoked_at IS NULL`;
  const { devices = 0, acknowledged = 0, failed = 0, last = null } = found ?? {};
  return {
    devices,
    acknowledged,
    failed,
    lastAckMs: last === null || publishedAt === null ? null : last.getTime() - publishedAt.getTime(),
  };
};
