/** Who is in a group, where an admin chooses that. */
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { requireStaticGroup } from './groups.ts';
import { deleteMember, deviceExists, insertMember } from './store.ts';

const Member = Type.Object(
  { id: Type.String({ maxLength: 64 }), deviceId: Type.String({ maxLength: 64 }) },
  { additionalProperties: false },
);

export const registerGroupMembers: Feature = (app, context) => {
  const { prisma, clock } = context;
  const tags = ['groups'];

  app.put(
    '/groups/:id/members/:deviceId',
    {
      config: { permission: 'groups.write' },
      schema: {
        tags,
        summary: 'Add a device; it gets what the group has at once, or when that is approved',
        params: Member,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id, deviceId } = request.params;
      const at = clock();
      const added = await prisma.$transaction(async (tx) => {
        const group = await requireStaticGroup(tx, id);
        if (!(await deviceExists(tx, deviceId))) throw notFound('device', deviceId);
        if (!(await insertMember(tx, id, deviceId, at))) return false;
        await appendAudit(tx, {
          actor: actorOf(request).name,
          action: 'group.add-member',
          subject: id,
          detail: { group: group.name, device: deviceId },
          at,
        });
        return true;
      });
      if (added) await onMembershipChanged(context, [deviceId]);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/groups/:id/members/:deviceId',
    {
      config: { permission: 'groups.write' },
      schema: {
        tags,
        summary: 'Take a device out; it loses what only this group gave it at once',
        params: Member,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id, deviceId } = request.params;
      const at = clock();
      const removed = await prisma.$transaction(async (tx) => {
        const group = await requireStaticGroup(tx, id);
        if (!(await deleteMember(tx, id, deviceId))) return false;
        await appendAudit(tx, {
          actor: actorOf(request).name,
          action: 'group.remove-member',
          subject: id,
          detail: { group: group.name, device: deviceId },
          at,
        });
        return true;
      });
      if (removed) await onMembershipChanged(context, [deviceId]);
      return reply.code(204).send(null);
    },
  );
};
