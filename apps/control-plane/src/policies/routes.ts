/** Policies and their immutable revisions. Nothing here is in force before it is published. */
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { badRequest, conflict, notFound, onDuplicate } from '../errors.ts';
import { newId } from '../ids.ts';
import { ById, checkMatch, etagOf, Page, PageQuery, pageOf } from '../paging.ts';
import { documentDigest, PolicyView, RevisionView, showPolicy, showRevision } from './policy.ts';
import { requirePolicy } from './policies.ts';
import { advanceVersion, findPolicy, findRevision, insertPolicy, insertRevision, listPolicies, listRevisions } from './store.ts';

const closed = { additionalProperties: false } as const;
const Source = Type.Object(
  { yaml: Type.String({ minLength: 1, maxLength: 524_288, description: 'YAML or JSON; metadata.name is the name of the policy' }) },
  closed,
);
const Written = Type.Object({ id: Type.String(), name: Type.String(), revision: Type.Integer() }, closed);
const RevisionNumber = Type.String({ pattern: '^[1-9][0-9]{0,8}$' });

export const registerPolicies: Feature = (app, { prisma, clock }) => {
  const tags = ['policies'];

  app.post(
    '/policies',
    { config: { permission: 'policies.write' }, schema: { tags, body: Source, response: { 201: Written } } },
    async (request, reply) => {
      const source = request.body.yaml;
      const { document } = parsePolicy(source);
      const { name } = document.metadata;
      const at = clock();
      const id = newId('pol');
      const createdBy = actorOf(request).name;
      const digest = documentDigest(document);
      await prisma
        .$transaction(async (tx) => {
          await insertPolicy(tx, { id, name, createdAt: at });
          await insertRevision(tx, { policyId: id, revision: 1, document, digest, source, createdBy, createdAt: at });
          await appendAudit(tx, { actor: createdBy, action: 'policy.create', subject: id, detail: { name, revision: 1, digest }, at });
        })
        .catch(
          onDuplicate(conflict('policy.exists', `a policy named "${name}" exists already; add a revision to it, or choose another name`)),
        );
      return reply.code(201).header('etag', etagOf(1)).send({ id, name, revision: 1 });
    },
  );

  app.get(
    '/policies',
    { config: { permission: 'policies.read' }, schema: { tags, querystring: PageQuery, response: { 200: Page(PolicyView) } } },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listPolicies(prisma, limit, cursor), limit, ({ createdAt, id }) => ({ at: createdAt, id }), showPolicy);
    },
  );

  app.get(
    '/policies/:id',
    { config: { permission: 'policies.read' }, schema: { tags, params: ById, response: { 200: PolicyView } } },
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
        summary: 'The same content as the newest revision adds none',
        params: ById,
        body: Source,
        response: { 201: Written },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const source = request.body.yaml;
      const { document } = parsePolicy(source);
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
        if ((await findRevision(tx, id, newest))?.digest === digest) return { revision: newest, version: policy.version };
        if (!(await advanceVersion(tx, id, policy.version))) checkMatch('"0"', policy.version + 1);
        const createdBy = actorOf(request).name;
        await insertRevision(tx, { policyId: id, revision: newest + 1, document, digest, source, createdBy, createdAt: at });
        await appendAudit(tx, {
          actor: createdBy,
          action: 'policy.revise',
          subject: id,
          detail: { name: policy.name, revision: newest + 1, digest },
          at,
        });
        return { revision: newest + 1, version: policy.version + 1 };
      });
      return reply.code(201).header('etag', etagOf(written.version)).send({ id, name: document.metadata.name, revision: written.revision });
    },
  );

  app.get(
    '/policies/:id/revisions',
    {
      config: { permission: 'policies.read' },
      schema: {
        tags,
        params: ById,
        querystring: Type.Object(
          { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })), cursor: Type.Optional(RevisionNumber) },
          closed,
        ),
        response: { 200: Page(RevisionView) },
      },
    },
    async (request) => {
      const { limit = 20, cursor } = request.query;
      const rows = await listRevisions(prisma, request.params.id, limit + 1, cursor === undefined ? undefined : Number(cursor));
      const items = rows.slice(0, limit).map(showRevision);
      return { items, next: rows.length > limit ? String(items.at(-1)?.revision ?? '') : null };
    },
  );

  app.get(
    '/policies/:id/revisions/:revision',
    {
      config: { permission: 'policies.read' },
      schema: {
        tags,
        params: Type.Object({ id: Type.String({ maxLength: 64 }), revision: RevisionNumber }, closed),
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
