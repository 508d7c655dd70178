/** Exceptions: made as part of the draft, approved and published like it, ended by time or by hand. */
import { ExceptionChange } from '@cordon/policy/document/exception.ts';
import { ruleTexts } from '@cordon/policy/document/rule-texts.ts';
import { Type } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Context, Feature, Tx } from '../context.ts';
import { badRequest, notFound } from '../errors.ts';
import { newId } from '../ids.ts';
import { ById, Page, PageQuery, pageOf } from '../paging.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { checkAllow, endOf, ExceptionView, isOfDevice, ruleOf, stateOf, type ExceptionRow } from './exception.ts';
import {
  devicesOf,
  endException,
  findException,
  insertException,
  listExceptions,
  surroundingsOf,
  targetExists,
  type Surroundings,
} from './store.ts';

const closed = { additionalProperties: false } as const;
const RefId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' });
const New = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128, description: 'What it is called in explanations' }),
    reason: Type.String({ minLength: 1, maxLength: 1000, description: 'For whoever approves it, and for the auditor' }),
    deviceId: Type.Optional(RefId),
    groupId: Type.Optional(RefId),
    until: Type.String({ minLength: 2, maxLength: 32, description: 'A duration as 8h or 2d, or a time; at most 30 days from now' }),
    change: ExceptionChange,
    requestId: Type.Optional(RefId),
  },
  closed,
);

const show = (row: ExceptionRow, { names, documents }: Surroundings, published: ReadonlySet<string>, now: Date): ExceptionView => {
  const { change, groupId, expiresAt, createdAt, endedAt, ...rest } = row;
  const target = { id: groupId, name: names.get(groupId) ?? '' };
  const document = change.kind === 'suspend' ? documents.get(`${change.policy}@${change.revision}`) : undefined;
  const rule = change.kind === 'suspend' && document !== undefined ? ruleTexts(change.policy, document).get(change.rule)?.text : undefined;
  return {
    id: rest.id,
    name: rest.name,
    reason: rest.reason,
    state: stateOf(row, published.has(row.id), now),
    change,
    rule: rule ?? null,
    group: isOfDevice(groupId) ? null : target,
    device: isOfDevice(groupId) ? target : null,
    requestId: rest.requestId,
    expiresAt: expiresAt.toISOString(),
    createdBy: rest.createdBy,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
    endedBy: rest.endedBy,
  };
};

const publishedIn = ({ published }: Context): ReadonlySet<string> => new Set(published.snapshot.exceptions.map(({ id }) => id));

/** @throws Refusal exception.target, group.not-found, device.not-found */
const requireTarget = async (tx: Tx, { groupId, deviceId }: { readonly groupId?: string; readonly deviceId?: string }): Promise<string> => {
  if ((groupId === undefined) === (deviceId === undefined))
    throw badRequest('exception.target', 'an exception is for one device or for one group: give deviceId or groupId', '');
  const [kind, id] = groupId === undefined ? (['device', deviceId ?? ''] as const) : (['group', groupId] as const);
  if (isOfDevice(id) !== (kind === 'device') || !(await targetExists(tx, id))) throw notFound(kind, id);
  return id;
};

/** @throws Refusal exception.rule, policy.not-found; CordonError as a policy with that allow */
const checkChange = async (tx: Tx, row: Omit<ExceptionRow, 'endedAt' | 'endedBy'>): Promise<void> => {
  const { change } = row;
  if (change.kind === 'allow') return checkAllow(change);
  const document = (await surroundingsOf(tx, [row])).documents.get(`${change.policy}@${change.revision}`);
  if (document === undefined) throw notFound('policy', `${change.policy}@${change.revision}`);
  ruleOf(change, document);
};

export const registerExceptions: Feature = (app, context) => {
  const { prisma, clock } = context;
  const tags = ['exceptions'];
  const shown = async (row: ExceptionRow): Promise<ExceptionView> =>
    show(row, await surroundingsOf(prisma, [row]), publishedIn(context), clock());

  app.post(
    '/exceptions',
    {
      config: { permission: 'exceptions.write' },
      schema: {
        tags,
        summary: 'Draft an exception for one device or group; it comes into force when a proposal with it is approved and published',
        body: New,
        response: { 201: ExceptionView },
      },
    },
    async (request, reply) => {
      const { name, reason, until, change, requestId = null, ...target } = request.body;
      const at = clock();
      const actor = actorOf(request).name;
      const made = await prisma.$transaction(async (tx) => {
        const groupId = await requireTarget(tx, target);
        const row = {
          id: newId('exc'),
          name,
          reason,
          change,
          groupId,
          requestId,
          expiresAt: endOf(until, at),
          createdBy: actor,
          createdAt: at,
        };
        await checkChange(tx, row);
        const exception = await insertException(tx, row);
        const detail = {
          name,
          reason,
          target: groupId,
          expiresAt: row.expiresAt.toISOString(),
          change,
          ...(requestId !== null && { requestId }),
        };
        await appendAudit(tx, { actor, action: 'exception.create', subject: row.id, detail, at });
        return exception;
      });
      return reply.code(201).send(await shown(made));
    },
  );

  app.get(
    '/exceptions',
    {
      config: { permission: 'exceptions.read' },
      schema: {
        tags,
        summary: 'Exceptions, newest first; those that have ended included',
        querystring: Type.Object({ ...PageQuery.properties, target: Type.Optional(RefId) }, closed),
        response: { 200: Page(ExceptionView) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, target } = request.query;
      const rows = await listExceptions(prisma, target, limit, cursor);
      const surroundings = await surroundingsOf(prisma, rows);
      const [published, now] = [publishedIn(context), clock()];
      return pageOf(
        rows,
        limit,
        ({ createdAt, id }) => ({ at: createdAt, id }),
        (row) => show(row, surroundings, published, now),
      );
    },
  );

  app.get(
    '/exceptions/:id',
    {
      config: { permission: 'exceptions.read' },
      schema: { tags, summary: 'One exception', params: ById, response: { 200: ExceptionView } },
    },
    async (request) => {
      const row = await findException(prisma, request.params.id);
      if (row === undefined) throw notFound('exception', request.params.id);
      return shown(row);
    },
  );

  app.post(
    '/exceptions/:id/end',
    {
      config: { permission: 'exceptions.write' },
      schema: {
        tags,
        summary: 'End it before its time: connected devices lose it within a second. It stays in the list',
        params: ById,
        response: { 200: ExceptionView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const at = clock();
      const actor = actorOf(request).name;
      const row = await prisma.$transaction(async (tx) => {
        const known = await findException(tx, id);
        if (known === undefined) throw notFound('exception', id);
        if (await endException(tx, id, actor, at))
          await appendAudit(tx, { actor, action: 'exception.end', subject: id, detail: { name: known.name, target: known.groupId }, at });
        return (await findException(tx, id)) ?? known;
      });
      const devices = await devicesOf(prisma, row.groupId);
      await onMembershipChanged(context, devices ?? [...context.published.devices.keys()]);
      return shown(row);
    },
  );
};
