/** Enrollment tokens as an admin sees them. The text, a key pair's seed, is shown once; only its public half is kept. */
import { formatToken } from '@cordon/policy/trust/token.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { randomBytes } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { appendAudit } from '../audit/audit.ts';
import { actorOf } from '../auth/guard.ts';
import type { Feature } from '../context.ts';
import type { EnrollmentToken } from '../db/generated/client.ts';
import { notFound } from '../errors.ts';
import { requireOpenGroup } from '../groups/groups.ts';
import { newId } from '../ids.ts';
import { ById, Page, PageQuery, pageOf } from '../paging.ts';
import { findToken, insertToken, listTokens, revokeToken } from './store.ts';

const closed = { additionalProperties: false } as const;
/** How long an enrollment token is good for. */
export const TOKEN_SECONDS = { usual: 3600, most: 90 * 86_400 } as const;
const Nullable = Type.Union([Type.String(), Type.Null()]);
const TokenView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    groupId: Nullable,
    maxUses: Type.Integer(),
    uses: Type.Integer(),
    approval: Type.Boolean(),
    createdBy: Type.String(),
    createdAt: Type.String(),
    expiresAt: Type.String(),
    revokedAt: Nullable,
  },
  closed,
);
const show = ({
  id,
  name,
  groupId,
  maxUses,
  uses,
  approval,
  createdBy,
  createdAt,
  expiresAt,
  revokedAt,
}: EnrollmentToken): Static<typeof TokenView> => ({
  id,
  name,
  groupId,
  maxUses,
  uses,
  approval,
  createdBy,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
  revokedAt: revokedAt?.toISOString() ?? null,
});

const NewToken = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    groupId: Type.Optional(Type.String({ maxLength: 64 })),
    maxUses: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 })),
    ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: TOKEN_SECONDS.most, default: TOKEN_SECONDS.usual })),
    approval: Type.Optional(Type.Boolean({ default: false, description: 'Devices wait for an administrator' })),
  },
  closed,
);

export const registerEnrollmentTokens: Feature = (app, { prisma, clock, organisation }) => {
  const tags = ['enrollment'];

  app.post(
    '/enrollment-tokens',
    {
      config: { permission: 'enrollment.write' },
      schema: {
        tags,
        summary: 'Make an enrollment token; its text is shown only in this answer',
        body: NewToken,
        response: { 201: Type.Object({ id: Type.String(), token: Type.String(), expiresAt: Type.String() }, closed) },
      },
    },
    async (request, reply) => {
      const { name, groupId, maxUses = 1, ttlSeconds = TOKEN_SECONDS.usual, approval = false } = request.body;
      const at = clock();
      const id = newId('ent');
      const seed = randomBytes(32);
      const expiresAt = new Date(at.getTime() + ttlSeconds * 1000);
      const createdBy = actorOf(request).name;
      await prisma.$transaction(async (tx) => {
        if (groupId !== undefined) await requireOpenGroup(tx, groupId);
        await insertToken(tx, {
          id,
          name,
          publicKey: keyPairFromSeed(seed).jwk.x,
          groupId: groupId ?? null,
          maxUses,
          approval,
          expiresAt,
          createdBy,
          createdAt: at,
        });
        await appendAudit(tx, {
          actor: createdBy,
          action: 'enrollment-token.create',
          subject: id,
          detail: { name, groupId, maxUses, approval, expiresAt },
          at,
        });
      });
      return reply
        .code(201)
        .send({ id, token: formatToken({ id, seed, fingerprint: organisation.fingerprint }), expiresAt: expiresAt.toISOString() });
    },
  );

  app.get(
    '/enrollment-tokens',
    {
      config: { permission: 'enrollment.read' },
      schema: {
        tags,
        summary: 'Enrollment tokens without their texts, newest first',
        querystring: PageQuery,
        response: { 200: Page(TokenView) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listTokens(prisma, limit, cursor), limit, ({ createdAt, id }) => ({ at: createdAt, id }), show);
    },
  );

  app.delete(
    '/enrollment-tokens/:id',
    {
      config: { permission: 'enrollment.write' },
      schema: { tags, summary: 'Revoke it; devices that used it stay', params: ById, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const { id } = request.params;
      const at = clock();
      await prisma.$transaction(async (tx) => {
        const token = await findToken(tx, id);
        if (token === null) throw notFound('enrollment-token', id);
        if (await revokeToken(tx, id, at))
          await appendAudit(tx, {
            actor: actorOf(request).name,
            action: 'enrollment-token.revoke',
            subject: id,
            detail: { name: token.name, uses: token.uses },
            at,
          });
      });
      return reply.code(204).send(null);
    },
  );
};
