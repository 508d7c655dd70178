/** API tokens. */
import { randomBytes } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Feature, Tx } from '../context.ts';
import type { ApiToken } from '../db/generated/client.ts';
import { conflict, notFound } from '../errors.ts';
import { ById, Page, PageQuery, pageOf } from '../paging.ts';
import { makeToken } from './api-token.ts';
import { actorOf } from './guard.ts';
import { ROLES, type Role } from './permissions.ts';
import { countUsableOwners, findToken, insertToken, listTokens, lockOwners, revokeToken } from './store.ts';

const closed = { additionalProperties: false } as const;
const RoleName = Type.Union(ROLES.map((role) => Type.Literal(role)));
const Time = Type.Union([Type.String(), Type.Null()]);
const TokenView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    role: Type.String(),
    createdBy: Type.String(),
    createdAt: Type.String(),
    expiresAt: Time,
    revokedAt: Time,
    lastUsedAt: Time,
  },
  closed,
);
const iso = (date: Date | null): string | null => date?.toISOString() ?? null;
const show = ({ id, name, role, createdBy, createdAt, expiresAt, revokedAt, lastUsedAt }: ApiToken): Static<typeof TokenView> => ({
  id,
  name,
  role,
  createdBy,
  createdAt: createdAt.toISOString(),
  expiresAt: iso(expiresAt),
  revokedAt: iso(revokedAt),
  lastUsedAt: iso(lastUsedAt),
});

/** Makes a token and its audit entry. The text is given back once and kept nowhere. */
const issueToken = async (
  tx: Tx,
  wanted: {
    readonly name: string;
    readonly role: Role;
    readonly actor: string;
    readonly ttlSeconds: number | undefined;
    readonly at: Date;
  },
): Promise<{ readonly id: string; readonly text: string; readonly expiresAt: Date | null }> => {
  const { name, role, actor, ttlSeconds, at } = wanted;
  const { id, text, secretHash } = makeToken(randomBytes);
  const expiresAt = ttlSeconds === undefined ? null : new Date(at.getTime() + ttlSeconds * 1000);
  await insertToken(tx, { id, name, role, secretHash, createdBy: actor, createdAt: at, expiresAt });
  await appendAudit(tx, { actor, action: 'api-token.create', subject: id, detail: { name, role, expiresAt }, at });
  return { id, text, expiresAt };
};

const MAX_TTL = 366 * 86_400;

export const registerApiTokens: Feature = (app, { prisma, clock }) => {
  const tags = ['api-tokens'];

  app.post(
    '/api-tokens',
    {
      config: { permission: 'tokens.write' },
      schema: {
        tags,
        summary: 'Make an API token; its text is shown only in this answer',
        body: Type.Object(
          {
            name: Type.String({ minLength: 1, maxLength: 128 }),
            role: RoleName,
            ttlSeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: MAX_TTL })),
          },
          closed,
        ),
        response: { 201: Type.Object({ id: Type.String(), token: Type.String(), role: RoleName, expiresAt: Time }, closed) },
      },
    },
    async (request, reply) => {
      const { name, role, ttlSeconds } = request.body;
      const actor = actorOf(request).name;
      const { id, text, expiresAt } = await prisma.$transaction((tx) => issueToken(tx, { name, role, ttlSeconds, actor, at: clock() }));
      return reply.code(201).send({ id, token: text, role, expiresAt: iso(expiresAt) });
    },
  );

  app.get(
    '/api-tokens',
    {
      config: { permission: 'tokens.read' },
      schema: { tags, summary: 'API tokens without their texts, newest first', querystring: PageQuery, response: { 200: Page(TokenView) } },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listTokens(prisma, limit, cursor), limit, ({ createdAt, id }) => ({ at: createdAt, id }), show);
    },
  );

  app.delete(
    '/api-tokens/:id',
    {
      config: { permission: 'tokens.write' },
      schema: { tags, summary: 'Revoke it at once; the last usable owner token stays', params: ById, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      await prisma.$transaction(async (tx) => {
        const token = await findToken(tx, id);
        if (token === null) throw notFound('api-token', id);
        if (token.role === 'owner') await lockOwners(tx);
        if (!(await revokeToken(tx, id, at))) return;
        if (token.role === 'owner' && (await countUsableOwners(tx, at)) === 0)
          throw conflict('api-token.last-owner', 'this is the last owner token: make another before you revoke it');
        await appendAudit(tx, {
          actor: actorOf(request).name,
          action: 'api-token.revoke',
          subject: id,
          detail: { name: token.name, role: token.role },
          at,
        });
      });
      return reply.code(204).send(null);
    },
  );
};

/**
 * On first start: an owner's token, when there is no usable one. Kept before it counts: a stop in between leaves a token that nobody knows of, not an
 * owner that nobody has. @returns its text, or undefined
 */
export const bootstrapOwner = (
  { prisma, clock }: Pick<Context, 'prisma' | 'clock'>,
  keep: (token: string) => void,
): Promise<string | undefined> =>
  prisma.$transaction(async (tx) => {
    await lockOwners(tx);
    const at = clock();
    if ((await countUsableOwners(tx, at)) > 0) return undefined;
    const { text } = await issueToken(tx, { name: 'first owner', role: 'owner', actor: 'system', ttlSeconds: undefined, at });
    keep(text);
    return text;
  });
