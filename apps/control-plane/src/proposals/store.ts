import type { Target } from '@cordon/policy/approval/approval.ts';
import type { PolicyDocument } from '@cordon/policy/document/schema.ts';
import type { Tx } from '../context.ts';
import type { Prisma, PrismaClient, Proposal, ProposalSignature } from '../db/generated/client.ts';
import { after } from '../paging.ts';
import { snapshotIn, type Snapshot } from '../publishing/cohorts.ts';
import type { FrozenGroup, Lists, StoredSignature } from './proposal.ts';

export interface StoredProposal extends Omit<Proposal, 'snapshot' | 'before' | 'target' | 'lists'> {
  readonly snapshot: Snapshot;
  readonly before: Snapshot;
  readonly target: Target;
  readonly lists: Lists;
  readonly signatures: readonly ProposalSignature[];
}
export type ProposalSummary = Omit<Proposal, 'snapshot' | 'before' | 'target' | 'lists' | 'payload'> & {
  readonly signatures: readonly ProposalSignature[];
};

const signatures = { orderBy: { kid: 'asc' } } as const;
// What was written here is what was checked before it was written.
const typed = (row: (Proposal & { signatures: ProposalSignature[] }) | null): StoredProposal | undefined =>
  row === null
    ? undefined
    : {
        ...row,
        snapshot: snapshotIn(row.snapshot as object as Snapshot),
        before: snapshotIn(row.before as object as Snapshot),
        target: row.target as object as Target,
        lists: row.lists as object as Lists,
      };
const json = (value: object): Prisma.InputJsonObject => JSON.parse(JSON.stringify(value)) as Prisma.InputJsonObject;

export interface NewProposal {
  readonly id: string;
  readonly title: string;
  readonly snapshot: Snapshot;
  readonly before: Snapshot;
  readonly target: Target;
  readonly lists: Lists;
  readonly payload: string;
  readonly digest: string;
  readonly epoch: number;
  readonly expiresAt: Date;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export const insertProposal = async (tx: Tx, { snapshot, before, target, lists, ...rest }: NewProposal): Promise<void> => {
  await tx.proposal.create({
    data: { ...rest, state: 'open', snapshot: json(snapshot), before: json(before), target: json(target), lists: json(lists) },
  });
};

export const findProposal = async (prisma: Tx | PrismaClient, id: string): Promise<StoredProposal | undefined> =>
  typed(await prisma.proposal.findUnique({ where: { id }, include: { signatures } }));

/** Newest first; one more than the limit. */
export const listProposals = (prisma: PrismaClient, limit: number, cursor: string | undefined): Promise<ProposalSummary[]> =>
  prisma.proposal.findMany({
    where: after(cursor, 'createdAt', 'prp'),
    omit: { snapshot: true, before: true, target: true, lists: true, payload: true },
    include: { signatures },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit + 1,
  });

/** One a key. @returns how many are new */
export const insertSignatures = async (
  tx: Tx,
  proposalId: string,
  made: readonly StoredSignature[],
  by: { readonly addedBy: string; readonly addedAt: Date },
): Promise<number> =>
  (await tx.proposalSignature.createMany({ data: made.map((one) => ({ ...one, ...by, proposalId })), skipDuplicates: true })).count;

/** @returns whether it was open until now */
export const markPublished = async (tx: Tx, id: string, serial: number, changeSet: string, at: Date): Promise<boolean> =>
  (
    await tx.proposal.updateMany({
      where: { id, state: { not: 'published' } },
      data: { state: 'published', serial, changeSet, closedAt: at },
    })
  ).count === 1;

/** All that are open, but one that is being published. @returns their ids */
export const supersedeOpen = async (tx: Tx, but: string | undefined, at: Date): Promise<readonly string[]> => {
  const open = await tx.proposal.findMany({
    where: { state: 'open', ...(but !== undefined && { id: { not: but } }) },
    select: { id: true },
  });
  await tx.proposal.updateMany({ where: { id: { in: open.map(({ id }) => id) } }, data: { state: 'superseded', closedAt: at } });
  return open.map(({ id }) => id);
};

/** Those that came into force in an epoch, newest first. @param take how many at most */
export const publishedProposals = async (tx: Tx, epoch: number, take: number): Promise<StoredProposal[]> =>
  (
    await tx.proposal.findMany({ where: { epoch, state: 'published' }, include: { signatures }, orderBy: { serial: 'desc' }, take })
  ).flatMap((row) => typed(row) ?? []);

/** The id of the newest of them: whether what is in memory is still what counts. */
export const newestPublished = async (tx: Tx, epoch: number): Promise<string | undefined> =>
  (await tx.proposal.findFirst({ where: { epoch, state: 'published' }, orderBy: { serial: 'desc' }, select: { id: true } }))?.id;

/** Open ones with this target and signatures, expired ones too; newest first. */
export const findByTarget = async (tx: Tx, epoch: number, digest: string): Promise<StoredProposal[]> =>
  (
    await tx.proposal.findMany({
      where: { epoch, digest, state: 'open', signatures: { some: {} } },
      include: { signatures },
      orderBy: { createdAt: 'desc' },
      take: 20,
    })
  ).flatMap((row) => typed(row) ?? []);

/** Groups that a snapshot names, with the devices of listed ones; a device is a group of itself. */
export const readGroups = async (tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, FrozenGroup>> => {
  const rows = await tx.$queryRaw<{ id: string; membership: string; devices: string[] }[]>`
    SELECT g.id, g.membership, coalesce(m.devices, '{}') AS devices FROM device_group g
    LEFT JOIN (
      SELECT gm.group_id, array_agg(gm.device_id ORDER BY gm.device_id) AS devices FROM group_member gm JOIN device d ON d.id = gm.device_id
      WHERE d.revoked_at IS NULL GROUP BY gm.group_id
    ) m ON m.group_id = g.id AND g.membership = 'listed'
    WHERE g.id = ANY(${[...ids]}::text[])
    UNION ALL SELECT id, 'listed', ARRAY[id] FROM device WHERE id = ANY(${[...ids]}::text[]) AND revoked_at IS NULL`;
  return new Map(rows.map(({ id, membership, devices }) => [id, { membership, devices }]));
};

/** Digests of revisions, by `policy@revision`. */
export const readDigests = async (
  tx: Tx,
  wanted: readonly { readonly id: string; readonly revision: number }[],
): Promise<ReadonlyMap<string, string>> => {
  const rows = await tx.$queryRaw<{ name: string; digest: string }[]>`
    SELECT r.policy_id || '@' || r.revision AS name, r.digest FROM policy_revision r
    JOIN unnest(${wanted.map(({ id }) => id)}::text[], ${wanted.map(({ revision }) => revision)}::int[]) AS w(id, revision) ON r.policy_id = w.id AND r.revision = w.revision`;
  return new Map(rows.map(({ name, digest }) => [name, digest]));
};

/** What a payload's `from` names. */
export const findFrom = async (
  prisma: Tx | PrismaClient,
  epoch: number,
  from: { readonly digest: string; readonly serial: number },
): Promise<StoredProposal | undefined> =>
  typed(await prisma.proposal.findFirst({ where: { epoch, state: 'published', ...from }, include: { signatures } }));

/** Documents of policies' revisions, each once. */
export const readDocuments = async (
  prisma: Tx | PrismaClient,
  wanted: readonly { readonly policy: string; readonly revision: number }[],
): Promise<{ digest: string; document: PolicyDocument }[]> =>
  prisma.$queryRaw`
    SELECT DISTINCT ON (r.digest) r.digest, r.document FROM policy_revision r
    JOIN unnest(${wanted.map(({ policy }) => policy)}::text[], ${wanted.map(({ revision }) => revision)}::int[]) AS w(id, revision) ON r.policy_id = w.id AND r.revision = w.revision
    ORDER BY r.digest`;

export const readNames = async (
  prisma: Tx | PrismaClient,
  policies: readonly string[],
  groups: readonly string[],
): Promise<{ policies: Record<string, string>; groups: Record<string, string> }> => {
  const select = { id: true, name: true } as const;
  const named = (rows: readonly { id: string; name: string }[]): Record<string, string> =>
    Object.fromEntries(rows.map(({ id, name }) => [id, name]));
  return {
    policies: named(await prisma.policy.findMany({ where: { id: { in: [...policies] } }, select })),
    groups: {
      ...named(await prisma.group.findMany({ where: { id: { in: [...groups] } }, select })),
      ...named(await prisma.device.findMany({ where: { id: { in: [...groups] } }, select })),
    },
  };
};

/** How many devices are in each combination of these groups. */
export const countByGroups = async (
  prisma: Tx | PrismaClient,
  groups: readonly string[],
): Promise<{ groups: readonly string[]; devices: number }[]> => {
  const rows = await prisma.$queryRaw<{ groups: string | null; devices: number }[]>`
    SELECT m.groups, count(*)::int AS devices FROM device d LEFT JOIN (
      SELECT device_id, string_agg(group_id, ',' ORDER BY group_id) AS groups FROM (
        SELECT device_id, group_id FROM group_member UNION ALL SELECT id, id FROM device WHERE id = ANY(${[...groups]}::text[])
      ) own WHERE group_id = ANY(${[...groups]}::text[]) GROUP BY device_id
    ) m ON m.device_id = d.id WHERE d.revoked_at IS NULL GROUP BY m.groups`;
  return rows.map(({ groups: joined, devices }) => ({ groups: joined === null ? [] : joined.split(','), devices }));
};
