/** Groups and their members. */
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { conflict, notFound, onDuplicate } from '../errors.ts';
import { newId } from '../ids.ts';
import { ById, checkMatch, etagOf, Page, PageQuery, pageOf, requireMatch } from '../paging.ts';
import { isInForce } from '../publishing/in-force.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { ALL_DEVICES, GroupView, Membership, showGroup } from './group.ts';
import { requireGroup, requireStaticGroup } from './groups.ts';
import {
  countDevices,
  countUses,
  deleteGroup,
  deleteMember,
  deviceExists,
  findGroup,
  insertGroup,
  insertMember,
  listGroups,
  updateGroup,
} from './store.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 128 });
const Description = Type.String({ maxLength: 1000 });
const Member = Type.Object({ id: Type.String({ maxLength: 64 }), deviceId: Type.String({ maxLength: 64 }) }, closed);
const exists = conflict('group.exists', 'a group with this name exists already; choose another name');

export const registerGroups: Feature = (app, context) => {
  const { prisma, clock } = context;
  const tags = ['groups'];

  app.post(
    '/groups',
    {
      config: { permission: 'groups.write' },
      schema: {
        tags,
        summary:
          'Make a group whose members you choose: listed (approved with what it gets) unless said to be open (as tokens need it; any device may then get what it gets)',
        body: Type.Object({ name: Name, description: Type.Optional(Description), membership: Type.Optional(Membership) }, closed),
        response: { 201: GroupView },
      },
    },
    async (request, reply) => {
      const { name, description = '', membership = 'listed' } = request.body;
      const at = clock();
      const id = newId('grp');
      const group = await prisma
        .$transaction(async (tx) => {
          const made = await insertGroup(tx, { id, name, kind: 'static', membership, description, createdAt: at });
          const detail = { name, description, membership };
          await appendAudit(tx, { actor: actorOf(request).name, action: 'group.create', subject: id, detail, at });
          return made;
        })
        .catch(onDuplicate(exists));
      return reply.code(201).header('etag', etagOf(group.version)).send(showGroup(group, 0));
    },
  );

  app.get(
    '/groups',
    {
      config: { permission: 'groups.read' },
      schema: { tags, summary: 'All groups, newest first', querystring: PageQuery, response: { 200: Page(GroupView) } },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      const everyone = await countDevices(prisma);
      return pageOf(
        await listGroups(prisma, limit, cursor),
        limit,
        ({ createdAt, id }) => ({ at: createdAt, id }),
        (group) => showGroup(group, everyone),
      );
    },
  );

  app.get(
    '/groups/:id',
    {
      config: { permission: 'groups.read' },
      schema: { tags, summary: 'One group; its ETag is what a change must name', params: ById, response: { 200: GroupView } },
    },
    async (request, reply) => {
      const group = await findGroup(prisma, request.params.id);
      if (group === null) throw notFound('group', request.params.id);
      return reply.header('etag', etagOf(group.version)).send(showGroup(group, group.kind === 'all' ? await countDevices(prisma) : 0));
    },
  );

  app.patch(
    '/groups/:id',
    {
      config: { permission: 'groups.write' },
      schema: {
        tags,
        summary: 'Change name, description or membership; needs If-Match. Another membership counts from the next approved proposal on',
        params: ById,
        body: Type.Object(
          { name: Type.Optional(Name), description: Type.Optional(Description), membership: Type.Optional(Membership) },
          { ...closed, minProperties: 1 },
        ),
        response: { 200: GroupView },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      const changed = await prisma
        .$transaction(async (tx) => {
          const group = await requireGroup(tx, id);
          if (id === ALL_DEVICES.id) throw conflict('group.built-in', `"${group.name}" is built in and cannot be changed`);
          requireMatch(request.headers['if-match'], group.version);
          const { tokens } = request.body.membership === 'listed' ? await countUses(tx, id, at) : { tokens: 0 };
          if (tokens > 0)
            throw conflict('group.in-use', `${tokens} enrollment tokens put devices into "${group.name}" unseen: revoke them first`);
          if (!(await updateGroup(tx, id, group.version, request.body))) requireMatch('"0"', group.version + 1);
          await appendAudit(tx, {
            actor: actorOf(request).name,
            action: 'group.update',
            subject: id,
            detail: { from: { name: group.name, description: group.description, membership: group.membership }, to: request.body },
            at,
          });
          return requireGroup(tx, id);
        })
        .catch(onDuplicate(exists));
      return reply.header('etag', etagOf(changed.version)).send(showGroup(changed, 0));
    },
  );

  app.delete(
    '/groups/:id',
    {
      config: { permission: 'groups.write' },
      schema: {
        tags,
        summary: 'Remove a group that nothing uses; its devices stay. If-Match is heeded',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      await prisma.$transaction(async (tx) => {
        const inForce = await isInForce(tx, { groupId: id });
        const group = await requireStaticGroup(tx, id);
        checkMatch(request.headers['if-match'], group.version);
        const { assignments, tokens } = await countUses(tx, id, at);
        if (assignments > 0 || inForce)
          throw conflict('group.in-use', `"${group.name}" has assignments, or had some at the last publish: remove them and publish first`);
        if (tokens > 0) throw conflict('group.in-use', `${tokens} enrollment tokens put devices into "${group.name}": revoke them first`);
        await deleteGroup(tx, id);
        await appendAudit(tx, {
          actor: actorOf(request).name,
          action: 'group.delete',
          subject: id,
          detail: { name: group.name, members: showGroup(group, 0).members },
          at,
        });
      });
      return reply.code(204).send(null);
    },
  );

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
