/** Groups. */
import { writeFilter } from '@cordon/policy/filter/write.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import { conflict, notFound, onDuplicate } from '../errors.ts';
import { countExceptions } from '../exceptions/exceptions.ts';
import { newId } from '../ids.ts';
import { ById, checkMatch, etagOf, Page, PageQuery, pageOf, requireMatch } from '../paging.ts';
import { isInForce } from '../publishing/in-force.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { follow } from './dynamic.ts';
import { GroupView, Membership, showGroup } from './group.ts';
import { requireGroup, requireOwnGroup } from './groups.ts';
import { askWhetherEveryone, Confirm, Rule, ruleIsOpen } from './rule-routes.ts';
import { parseRule } from './rule.ts';
import { countDevices, countUses, deleteGroup, findGroup, insertGroup, listGroups, updateGroup } from './store.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 128 });
const Description = Type.String({ maxLength: 1000 });
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
          'Make a group. Its members are chosen by you: listed (approved with what it gets) unless said to be open (as tokens need it; any device may then get what it gets); or by a rule, and then it is open',
        body: Type.Object(
          {
            name: Name,
            description: Type.Optional(Description),
            membership: Type.Optional(Membership),
            rule: Type.Optional(Rule),
            confirm: Type.Optional(Confirm),
          },
          closed,
        ),
        response: { 201: GroupView },
      },
    },
    async (request, reply) => {
      const { name, description = '', confirm } = request.body;
      const rule = request.body.rule === undefined ? null : writeFilter(parseRule(request.body.rule));
      const membership = request.body.membership ?? (rule === null ? 'listed' : 'open');
      if (rule !== null && membership === 'listed') throw ruleIsOpen;
      const at = clock();
      const id = newId('grp');
      const { group, moved } = await prisma
        .$transaction(async (tx) => {
          if (rule !== null) await askWhetherEveryone(tx, rule, at, confirm);
          await insertGroup(tx, { id, name, kind: rule === null ? 'static' : 'dynamic', membership, rule, description, createdAt: at });
          const detail = { name, description, membership, ...(rule !== null && { rule }) };
          await appendAudit(tx, { actor: actorOf(request).name, action: 'group.create', subject: id, detail, at });
          const joined = rule === null ? [] : await follow(tx, { id, name, rule }, at);
          return { group: await requireGroup(tx, id), moved: joined };
        })
        .catch(onDuplicate(exists));
      if (moved.length > 0) await onMembershipChanged(context, moved);
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
        summary:
          'Change name, description, membership or rule; needs If-Match. Another membership counts from the next approved proposal on, another rule at once',
        params: ById,
        body: Type.Object(
          {
            name: Type.Optional(Name),
            description: Type.Optional(Description),
            membership: Type.Optional(Membership),
            rule: Type.Optional(Rule),
            confirm: Type.Optional(Confirm),
          },
          { ...closed, minProperties: 1 },
        ),
        response: { 200: GroupView },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { confirm, ...body } = request.body;
      const rule = body.rule === undefined ? undefined : writeFilter(parseRule(body.rule));
      const data = { ...body, ...(rule !== undefined && { rule }) };
      const at = clock();
      const { changed, moved } = await prisma
        .$transaction(async (tx) => {
          const group = await requireOwnGroup(tx, id);
          requireMatch(request.headers['if-match'], group.version);
          if (group.rule !== null && data.membership === 'listed') throw ruleIsOpen;
          if (rule !== undefined && group.rule === null)
            throw conflict('group.static', `the members of "${group.name}" were chosen by hand: make a new group for the rule`);
          if (rule !== undefined) await askWhetherEveryone(tx, rule, at, confirm);
          const { tokens } = data.membership === 'listed' ? await countUses(tx, id, at) : { tokens: 0 };
          if (tokens > 0)
            throw conflict('group.in-use', `${tokens} enrollment tokens put devices into "${group.name}" unseen: revoke them first`);
          if (!(await updateGroup(tx, id, group.version, data))) requireMatch('"0"', group.version + 1);
          await appendAudit(tx, {
            actor: actorOf(request).name,
            action: 'group.update',
            subject: id,
            detail: {
              from: {
                name: group.name,
                description: group.description,
                membership: group.membership,
                ...(group.rule !== null && { rule: group.rule }),
              },
              to: data,
            },
            at,
          });
          const followed = rule === undefined ? [] : await follow(tx, { id, name: data.name ?? group.name, rule }, at);
          return { changed: await requireGroup(tx, id), moved: followed };
        })
        .catch(onDuplicate(exists));
      if (moved.length > 0) await onMembershipChanged(context, moved);
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
        const group = await requireOwnGroup(tx, id);
        checkMatch(request.headers['if-match'], group.version);
        const { assignments, tokens } = await countUses(tx, id, at);
        const exceptions = await countExceptions(tx, id, at);
        if (assignments + exceptions > 0 || inForce)
          throw conflict(
            'group.in-use',
            `"${group.name}" has assignments or exceptions, or had some at the last publish: remove them and publish first`,
          );
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
};
