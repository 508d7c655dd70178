/** Policies and their immutable revisions. Nothing here is in force before it is published. */
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { badRequest, conflict, notFound, onDuplicate } from '../errors.ts';
import { newId } from '../ids.ts';
import { ById, checkMatch, decodeNumber, etagOf, Page, PageQuery, pageOf } from '../paging.ts';
import { isInForce } from '../publishing/in-force.ts';
import {
  documentDigest,
  PolicyView,
  RevisionSummary,
  RevisionView,
  showPolicy,
  showRevision,
  summariseRevision,
  Warning,
  warningsOf,
} from './policy.ts';
import { requirePolicy } from './policies.ts';
import {
  advanceVersion,
  countAssignments,
  findPolicy,
  findPolicyByName,
  findRevision,
  insertPolicy,
  insertRevision,
  listPolicies,
  listRevisions,
} from './store.ts';

const closed = { additionalProperties: false } as const;
const Source = Type.Object(
  { yaml: Type.String({ minLength: 1, maxLength: 524_288, description: 'YAML or JSON; metadata.name is the name of the policy' }) },
  closed,
);
const Written = Type.Object({ id: Type.String(), name: Type.String(), revision: Type.Integer(), warnings: Type.Array(Warning) }, closed);
const MAX_REVISION = 999_999_999;

const taken = (name: string, id: string | undefined, archived: boolean): ReturnType<typeof conflict> =>
  conflict(
    'policy.exists',
    `a policy named "${name}" exists already${id === undefined ? '' : ` (${id}${archived ? ', archived' : ''})`}; add a revision to it, or choose another name`,
  );

export const registerPolicies: Feature = (app, { prisma, clock }) => {
  const tags = ['policies'];

  app.post(
    '/policies',
    {
      config: { permission: 'policies.write' },
      schema: { tags, summary: 'Make a policy with its first revision', body: Source, response: { 201: Written } },
    },
    async (request, reply) => {
      const source = request.body.yaml;
      const parsed = parsePolicy(source);
      const { document } = parsed;
      const { name } = document.metadata;
      const at = clock();
      const id = newId('pol');
      const createdBy = actorOf(request).name;
      const digest = documentDigest(document);
      await prisma
        .$transaction(async (tx) => {
          const known = await findPolicyByName(tx, name);
          if (known !== null) throw taken(name, known.id, known.archivedAt !== null);
          await insertPolicy(tx, { id, name, createdAt: at });
          await insertRevision(tx, { policyId: id, revision: 1, document, digest, source, createdBy, createdAt: at });
          await appendAudit(tx, { actor: createdBy, action: 'policy.create', subject: id, detail: { name, revision: 1, digest }, at });
        })
        .catch(onDuplicate(taken(name, undefined, false)));
      return reply
        .code(201)
        .header('etag', etagOf(1))
        .send({ id, name, revision: 1, warnings: warningsOf(parsed) });
    },
  );

  app.get(
    '/policies',
    {
      config: { permission: 'policies.read' },
      schema: {
        tags,
        summary: 'Policies that are not archived, newest first, with the number of their newest revision',
        querystring: PageQuery,
        response: { 200: Page(PolicyView) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listPolicies(prisma, limit, cursor), limit, ({ createdAt, id }) => ({ at: createdAt, id }), showPolicy);
    },
  );

  app.get(
    '/policies/:id',
    {
      config: { permission: 'policies.read' },
      schema: { tags, summary: 'One policy, archived or not', params: ById, response: { 200: PolicyView } },
    },
    async (request, reply) => {
      const policy = await findPolicy(prisma, request.params.id);
      if (policy === null) throw notFound('policy', request.params.id);
      return reply.header('etag', etagOf(policy.version)).send(showPolicy(policy));
    },
  );

  app.post(
    '/policies/:id/revisions',
    {
      config: { permission: 'policies.write' },
      schema: {
        tags,
        summary:
          'Add a revision. The same content as the newest adds none and answers 200; an archived policy comes back. If-Match is heeded',
        params: ById,
        body: Source,
        response: { 200: Written, 201: Written },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const source = request.body.yaml;
      const parsed = parsePolicy(source);
      const { document } = parsed;
      const digest = documentDigest(document);
      const at = clock();
      const written = await prisma.$transaction(async (tx) => {
        const policy = await requirePolicy(tx, id);
        checkMatch(request.headers['if-match'], policy.version);
        if (document.metadata.name !== policy.name)
          throw badRequest(
            'policy.name',
            `metadata.name is "${document.metadata.name}" but this policy is "${policy.name}"; a name stays for good`,
            '/metadata/name',
          );
        const newest = policy.revisions[0]?.revision ?? 0;
        const isNew = (await findRevision(tx, id, newest))?.digest !== digest;
        if (!isNew && policy.archivedAt === null) return { revision: newest, version: policy.version, isNew };
        if (!(await advanceVersion(tx, id, policy.version, null))) checkMatch('"0"', policy.version + 1);
        const createdBy = actorOf(request).name;
        const revision = isNew ? newest + 1 : newest;
        if (isNew) await insertRevision(tx, { policyId: id, revision, document, digest, source, createdBy, createdAt: at });
        await appendAudit(tx, {
          actor: createdBy,
          action: isNew ? 'policy.revise' : 'policy.restore',
          subject: id,
          detail: { name: policy.name, revision, digest },
          at,
        });
        return { revision, version: policy.version + 1, isNew };
      });
      return reply
        .code(written.isNew ? 201 : 200)
        .header('etag', etagOf(written.version))
        .send({ id, name: document.metadata.name, revision: written.revision, warnings: warningsOf(parsed) });
    },
  );

  app.delete(
    '/policies/:id',
    {
      config: { permission: 'policies.write' },
      schema: {
        tags,
        summary: 'Archive a policy that nothing uses; its revisions and its name stay. If-Match is heeded',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      await prisma.$transaction(async (tx) => {
        const inForce = await isInForce(tx, { policyId: id });
        const policy = await requirePolicy(tx, id);
        checkMatch(request.headers['if-match'], policy.version);
        if (policy.archivedAt !== null) return;
        if (!(await advanceVersion(tx, id, policy.version, at))) checkMatch('"0"', policy.version + 1);
        if (inForce || (await countAssignments(tx, id)) > 0)
          throw conflict(
            'policy.in-use',
            `"${policy.name}" is assigned, or was at the last publish: remove its assignments and publish first`,
          );
        await appendAudit(tx, { actor: actorOf(request).name, action: 'policy.archive', subject: id, detail: { name: policy.name }, at });
      });
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/policies/:id/revisions',
    {
      config: { permission: 'policies.read' },
      schema: {
        tags,
        summary: 'Its revisions, newest first; one of them has document and source',
        params: ById,
        querystring: PageQuery,
        response: { 200: Page(RevisionSummary) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { limit = 50, cursor } = request.query;
      const rows = await listRevisions(prisma, id, limit + 1, decodeNumber(cursor, MAX_REVISION));
      if (rows.length === 0 && (await findPolicy(prisma, id)) === null) throw notFound('policy', id);
      const items = rows.slice(0, limit).map(summariseRevision);
      return { items, next: rows.length > limit ? String(items.at(-1)?.revision ?? '') : null };
    },
  );

  app.get(
    '/policies/:id/revisions/:revision',
    {
      config: { permission: 'policies.read' },
      schema: {
        tags,
        summary: 'One revision: the document as parsed, and the text as it was written',
        params: Type.Object({ id: Type.String({ maxLength: 64 }), revision: Type.String({ pattern: '^[1-9][0-9]{0,8}$' }) }, closed),
        response: { 200: RevisionView },
      },
    },
    async (request, reply) => {
      const { id, revision } = request.params;
      const found = await findRevision(prisma, id, Number(revision));
      if (found === null) throw notFound('revision', `${id}/${revision}`);
      return reply.header('etag', `"${found.digest}"`).send(showRevision(found));
    },
  );
};
