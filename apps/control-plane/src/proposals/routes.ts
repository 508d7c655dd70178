/** Asking people to approve the draft, and taking their signatures. */
import { consequencesOf } from '@cordon/policy/approval/consequences.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Context, Feature } from '../context.ts';
import { conflict } from '../errors.ts';
import { newId } from '../ids.ts';
import { ById, Page, PageQuery, pageOf } from '../paging.ts';
import { draftAndForce } from '../publishing/draft.ts';
import { affected } from './affected.ts';
import { freeze, mutableLists, payloadFor, payloadOf, payloadText, readSignatures } from './proposal.ts';
import { newestRoot, readApproved, requireOpen, requireProposal, signersOf } from './proposals.ts';
import {
  countByGroups,
  findFrom,
  insertProposal,
  insertSignatures,
  listProposals,
  readDigests,
  readDocuments,
  readGroups,
  readNames,
  type StoredProposal,
} from './store.ts';
import { ProposalDetail, ProposalView, showChanges, showProposal } from './view.ts';

const closed = { additionalProperties: false } as const;

/** Freezes the draft. @throws CordonError proposal.nothing, proposal.way-back, publish.* */
const propose = async (
  context: Context,
  { title, wayBack, actor }: { readonly title: string; readonly wayBack: string | undefined; readonly actor: string },
): Promise<StoredProposal> => {
  const { prisma, clock, organisation } = context;
  return prisma.$transaction(async (tx) => {
    const { draft, inForce } = await draftAndForce(tx, clock());
    const { approved } = (await readApproved(tx, context)).standing;
    const digests = await readDigests(tx, draft.policies);
    const groups = await readGroups(tx, [...new Set([...draft.assignments, ...draft.exceptions].map(({ groupId }) => groupId))]);
    const { target, lists } = freeze(draft, (policy, revision) => digests.get(`${policy}@${revision}`), groups);
    const now = clock();
    const from = approved === undefined ? null : { digest: approved.digest, serial: approved.serial };
    const payload = payloadFor({ org: organisation.orgId, epoch: organisation.epoch, from, target, now, wayBack });
    if (payload.to === approved?.digest)
      throw conflict(
        'proposal.nothing',
        'the draft is what was approved last: publish it (POST /publish), nobody needs to approve it again',
      );
    const id = newId('prp');
    await insertProposal(tx, {
      id,
      title,
      snapshot: draft,
      before: inForce,
      target,
      lists,
      payload: payloadText(payload),
      digest: payload.to,
      epoch: payload.epoch,
      expiresAt: new Date(payload.expiresAt),
      createdBy: actor,
      createdAt: now,
    });
    const detail = { title, from, to: payload.to, expiresAt: payload.expiresAt, wayBackUntil: payload.wayBackUntil };
    await appendAudit(tx, { actor, action: 'proposal.create', subject: id, detail, at: now });
    return requireProposal(tx, id);
  });
};

/** Adds the signatures of approvers to those that are there. */
const sign = async (context: Context, id: string, jws: string, actor: string): Promise<StoredProposal> => {
  const { prisma, clock } = context;
  const root = await newestRoot(context);
  return prisma.$transaction(async (tx) => {
    await draftAndForce(tx, clock());
    const proposal = await requireProposal(tx, id);
    const at = clock();
    requireOpen(proposal, at);
    const made = await readSignatures(jws, proposal.payload, root);
    const added = await insertSignatures(tx, id, made, { addedBy: actor, addedAt: at });
    const after = await requireProposal(tx, id);
    if (added > 0) {
      const detail = {
        keys: made.map(({ kid }) => kid),
        signed: signersOf(after, root).length,
        threshold: root.document.roles.approver.threshold,
      };
      await appendAudit(tx, { actor, action: 'proposal.approve', subject: id, detail, at });
    }
    return after;
  });
};

/** Proposals of which it is remembered what they change: to compute it takes a while, and it never changes. */
const MAX_TOLD = 32;
type Told = Map<string, Pick<ProposalDetail, 'changes' | 'untold'>>;

/** The proposal with everything that an approver needs to see, or to compute again. */
const detailOf = async (context: Context, told: Told, proposal: StoredProposal): Promise<ProposalDetail> => {
  const { prisma, clock } = context;
  const { id, target, lists, payload } = proposal;
  const { from } = payloadOf(payload);
  const before = from === null ? undefined : await findFrom(prisma, proposal.epoch, from);
  const sides = [target, ...(before === undefined ? [] : [before.target])];
  const documents = await readDocuments(
    prisma,
    sides.flatMap(({ policies }) => policies),
  );
  const byDigest = new Map(documents.map(({ digest, document }) => [digest, document]));
  const old = before && { target: before.target, lists: before.lists };
  const named = [proposal.before, proposal.snapshot].flatMap(({ assignments, exceptions }) =>
    [...assignments, ...exceptions].map(({ groupId }) => groupId),
  );
  const changes = told.get(id) ?? showChanges(consequencesOf(old, { target, lists }, (digest) => byDigest.get(digest), clock()));
  told.set(id, changes);
  const [oldest] = told.keys();
  if (told.size > MAX_TOLD && oldest !== undefined) told.delete(oldest);
  return {
    ...showProposal(proposal, await newestRoot(context), clock()),
    payload,
    before: old === undefined ? null : { target: old.target, lists: mutableLists(old.lists) },
    after: { target, lists: mutableLists(lists) },
    documents,
    names: await readNames(
      prisma,
      sides.flatMap(({ policies }) => policies.map(({ policy }) => policy)),
      sides.flatMap(({ groups }) => groups.map(({ group }) => group)),
    ),
    ...changes,
    devices: affected(proposal.before, proposal.snapshot, await countByGroups(prisma, [...new Set(named)])),
  };
};

export const registerProposals: Feature = (app, context) => {
  const { prisma, clock } = context;
  const tags = ['proposals'];
  const told: Told = new Map();

  app.post(
    '/proposals',
    {
      config: { permission: 'changes.propose' },
      schema: {
        tags,
        summary: 'Freeze the draft as a proposal: what approvers sign is in its payload, good for seven days',
        body: Type.Object(
          {
            title: Type.String({ minLength: 1, maxLength: 200 }),
            wayBack: Type.Optional(
              Type.String({
                pattern: '^[1-9][0-9]{0,4}[smhd]$',
                description: 'How long what was approved before may come back without another approval, as "7d": the soak time',
              }),
            ),
          },
          closed,
        ),
        response: { 201: ProposalDetail },
      },
    },
    async (request, reply) => {
      const { title, wayBack } = request.body;
      const proposal = await propose(context, { title, wayBack, actor: actorOf(request).name });
      return reply.code(201).send(await detailOf(context, told, proposal));
    },
  );

  app.get(
    '/proposals',
    {
      config: { permission: 'changes.read' },
      schema: {
        tags,
        summary: 'Proposals and who signed them, newest first',
        querystring: PageQuery,
        response: { 200: Page(ProposalView) },
      },
    },
    async ({ query: { limit = 50, cursor } }) => {
      const root = await newestRoot(context);
      const rows = await listProposals(prisma, limit, cursor);
      return pageOf(
        rows,
        limit,
        ({ createdAt, id }) => ({ at: createdAt, id }),
        (row) => showProposal(row, root, clock()),
      );
    },
  );

  app.get(
    '/proposals/:id',
    {
      config: { permission: 'changes.read' },
      schema: {
        tags,
        summary: 'What it changes for whom, with all that an approver needs to compute it again',
        params: ById,
        response: { 200: ProposalDetail },
      },
    },
    async ({ params: { id } }) => detailOf(context, told, await requireProposal(prisma, id)),
  );

  app.post(
    '/proposals/:id/signatures',
    {
      config: { permission: 'changes.approve' },
      schema: {
        tags,
        summary: "Add approvers' signatures over exactly its payload; a key counts once",
        params: ById,
        body: Type.Object(
          { jws: Type.String({ minLength: 1, maxLength: 65_536, description: 'General JWS, typ cordon-approval+jws' }) },
          closed,
        ),
        response: { 200: ProposalView },
      },
    },
    async (request) => {
      const proposal = await sign(context, request.params.id, request.body.jws, actorOf(request).name);
      return showProposal(proposal, await newestRoot(context), clock());
    },
  );
};
