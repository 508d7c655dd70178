/** Putting the draft in force, and what was put in force before. */
import { Type, type Static } from 'typebox';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import type { ChangeSet } from '../db/generated/client.ts';
import { badRequest, notFound } from '../errors.ts';
import { Page, PageQuery, pageOf } from '../paging.ts';
import { publish } from './publish.ts';
import { findChangeSet, listChangeSets, readProgress } from './store.ts';

const closed = { additionalProperties: false } as const;
const Time = Type.Union([Type.String(), Type.Null()]);
const summary = {
  id: Type.String(),
  title: Type.String(),
  state: Type.String(),
  serial: Type.Union([Type.Integer(), Type.Null()]),
  createdBy: Type.String(),
  createdAt: Type.String(),
  publishedAt: Time,
};
const Summary = Type.Object(summary, closed);
const Detail = Type.Object(
  {
    ...summary,
    policies: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), revision: Type.Integer() }, closed)),
    assignments: Type.Array(
      Type.Object(
        { id: Type.String(), policyId: Type.String(), groupId: Type.String(), groupName: Type.String(), mode: Type.String() },
        closed,
      ),
    ),
    devices: Type.Integer({ description: 'Devices in the cohorts that it changed' }),
    acknowledged: Type.Integer({ description: 'Of those: how many have verified and enforce it' }),
    failed: Type.Integer(),
    lastAckMs: Type.Union([Type.Number(), Type.Null()], {
      description: 'From published to the newest first acknowledgement, in milliseconds',
    }),
  },
  closed,
);

const show = ({ id, title, state, serial, createdBy, createdAt, publishedAt }: Omit<ChangeSet, 'content'>): Static<typeof Summary> => ({
  id,
  title,
  state,
  serial,
  createdBy,
  createdAt: createdAt.toISOString(),
  publishedAt: publishedAt?.toISOString() ?? null,
});

export const registerPublishing: Feature = (app, context) => {
  app.post(
    '/publish',
    {
      config: { permission: 'changes.publish' },
      schema: {
        tags: ['publishing'],
        summary:
          'Put the draft in force: newest revisions and all assignments, as one change set with one serial. What loosens needs an approved proposal; what an earlier change set put in force may come back within its time',
        body: Type.Object(
          {
            title: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
            proposal: Type.Optional(
              Type.String({ minLength: 1, maxLength: 64, description: 'Put exactly this in force, with its approvals' }),
            ),
            changeSet: Type.Optional(
              Type.String({ minLength: 1, maxLength: 64, description: 'Put in force again what this change set had put in force' }),
            ),
          },
          closed,
        ),
        response: {
          201: Type.Object({ changeSet: Type.String(), serial: Type.Integer(), cohorts: Type.Integer(), devices: Type.Integer() }, closed),
        },
      },
    },
    async (request, reply) => {
      const { title = 'Publish', ...source } = request.body;
      if (source.proposal !== undefined && source.changeSet !== undefined)
        throw badRequest('publish.both', 'name a proposal or a change set, not both');
      return reply.code(201).send(await publish(context, { title, actor: actorOf(request).name, ...source }));
    },
  );

  app.get(
    '/change-sets',
    {
      config: { permission: 'changes.read' },
      schema: {
        tags: ['publishing'],
        summary: 'What was published, newest first',
        querystring: PageQuery,
        response: { 200: Page(Summary) },
      },
    },
    async ({ query: { limit = 50, cursor } }) =>
      pageOf(await listChangeSets(context.prisma, cursor, limit + 1), limit, ({ createdAt, id }) => ({ at: createdAt, id }), show),
  );

  app.get(
    '/change-sets/:id',
    {
      config: { permission: 'changes.read' },
      schema: {
        tags: ['publishing'],
        summary: 'What it put in force, and how many devices enforce it',
        params: Type.Object({ id: Type.String({ maxLength: 64 }) }, closed),
        response: { 200: Detail },
      },
    },
    async ({ params: { id } }) => {
      const found = await findChangeSet(context.prisma, id);
      if (found === null) throw notFound('change-set', id);
      const { policies, assignments } = found.content;
      const progress = await readProgress(context.prisma, found);
      return {
        ...show(found),
        policies: policies.map((policy) => ({ ...policy })),
        assignments: assignments.map(({ id, policyId, groupId, groupName, mode }) => ({ id, policyId, groupId, groupName, mode })),
        ...progress,
      };
    },
  );
};
