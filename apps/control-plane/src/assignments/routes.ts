/** Assignments: which policy goes to which group, included or excluded. A draft until it is published. */
import { Type, type Static } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import type { Assignment } from '../db/generated/client.ts';
import { conflict, notFound, onDuplicate } from '../errors.ts';
import { requireGroup } from '../groups/groups.ts';
import { newId } from '../ids.ts';
import { ById, Page, pageOf } from '../paging.ts';
import { requireLivingPolicy } from '../policies/policies.ts';
import { deleteAssignment, findAssignment, insertAssignment, listAssignments } from './store.ts';

const closed = { additionalProperties: false } as const;
const Mode = Type.Union([Type.Literal('include'), Type.Literal('exclude')]);
const RefId = Type.String({ minLength: 1, maxLength: 64 });
const AssignmentView = Type.Object(
  { id: Type.String(), policyId: Type.String(), groupId: Type.String(), mode: Mode, createdBy: Type.String(), createdAt: Type.String() },
  closed,
);
const show = ({ id, policyId, groupId, mode, createdBy, createdAt }: Assignment): Static<typeof AssignmentView> => ({
  id,
  policyId,
  groupId,
  mode: mode === 'exclude' ? 'exclude' : 'include',
  createdBy,
  createdAt: createdAt.toISOString(),
});
const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
    cursor: Type.Optional(Type.String({ maxLength: 256, pattern: '^[A-Za-z0-9_-]+$' })),
    policyId: Type.Optional(RefId),
    groupId: Type.Optional(RefId),
  },
  closed,
);

export const registerAssignments: Feature = (app, { prisma, clock }) => {
  const tags = ['assignments'];

  app.post(
    '/assignments',
    {
      config: { permission: 'assignments.write' },
      schema: {
        tags,
        summary: 'Give a policy to a group, or exclude the group from it; in force with the next publish',
        body: Type.Object({ policyId: RefId, groupId: RefId, mode: Type.Optional(Mode) }, closed),
        response: { 201: AssignmentView },
      },
    },
    async (request, reply) => {
      const { policyId, groupId, mode = 'include' } = request.body;
      const at = clock();
      const id = newId('asg');
      const createdBy = actorOf(request).name;
      const made = await prisma
        .$transaction(async (tx) => {
          const policy = await requireLivingPolicy(tx, policyId);
          const group = await requireGroup(tx, groupId);
          const assignment = await insertAssignment(tx, { id, policyId, groupId, mode, createdBy, createdAt: at });
          await appendAudit(tx, {
            actor: createdBy,
            action: 'assignment.create',
            subject: id,
            detail: { policyId, policy: policy.name, groupId, group: group.name, mode },
            at,
          });
          return assignment;
        })
        .catch(onDuplicate(conflict('assignment.exists', 'this policy is assigned to this group already; remove that assignment first')));
      return reply.code(201).send(show(made));
    },
  );

  app.get(
    '/assignments',
    {
      config: { permission: 'assignments.read' },
      schema: { tags, summary: 'Assignments of the draft, newest first', querystring: Query, response: { 200: Page(AssignmentView) } },
    },
    async (request) => {
      const { limit = 50, cursor, policyId, groupId } = request.query;
      const filter = { ...(policyId !== undefined && { policyId }), ...(groupId !== undefined && { groupId }) };
      return pageOf(await listAssignments(prisma, filter, limit, cursor), limit, ({ createdAt, id }) => ({ at: createdAt, id }), show);
    },
  );

  app.delete(
    '/assignments/:id',
    {
      config: { permission: 'assignments.write' },
      schema: {
        tags,
        summary: 'Take it out of the draft; devices keep it until the next publish',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      await prisma.$transaction(async (tx) => {
        const known = await findAssignment(tx, id);
        if (known === null || !(await deleteAssignment(tx, id))) throw notFound('assignment', id);
        await appendAudit(tx, {
          actor: actorOf(request).name,
          action: 'assignment.delete',
          subject: id,
          detail: { policyId: known.policyId, groupId: known.groupId, mode: known.mode },
          at,
        });
      });
      return reply.code(204).send(null);
    },
  );
};
