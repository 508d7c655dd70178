/** The one gate of the admin listener: no request reaches a handler without the permission that its route names. */
import type { FastifyRequest } from 'fastify';
import type { Actor, App, Context } from '../context.ts';
import { Refusal } from '../errors.ts';
import { judgeToken, parseBearer } from './api-token.ts';
import { may } from './permissions.ts';
import { findToken, noteUse } from './store.ts';

/** The caller of a route that demands a permission. @throws Refusal when there is none, which the gate has refused before */
export const actorOf = (request: FastifyRequest): Actor => {
  if (request.actor === null) throw new Refusal(401, 'auth.required', 'send "Authorization: Bearer TOKEN" with an API token');
  return request.actor;
};

const authenticate = async (request: FastifyRequest, { prisma, clock }: Context): Promise<Actor> => {
  const presented = parseBearer(request.headers.authorization);
  if (presented === undefined) throw new Refusal(401, 'auth.required', 'send "Authorization: Bearer TOKEN" with an API token');
  const now = clock();
  const stored = await findToken(prisma, presented.id);
  const verdict = judgeToken(presented, stored, now);
  if (typeof verdict === 'string') throw new Refusal(401, `auth.token-${verdict}`, `the API token is ${verdict}`);
  await noteUse(prisma, stored, now);
  return { name: `token:${presented.id}`, token: presented.id, role: verdict.role };
};

/** Registered before every feature. */
export const registerGuard = (app: App, context: Context): void => {
  app.addHook('onRequest', async (request, reply) => {
    const { permission } = request.routeOptions.config;
    if (request.is404 || permission === 'public') return;
    void reply.header('cache-control', 'no-store');
    if (permission === undefined || permission === 'device') throw new Refusal(403, 'auth.forbidden', 'this is not for the admin listener');
    const actor = await authenticate(request, context);
    if (!may(actor.role, permission))
      throw new Refusal(403, 'auth.forbidden', `the role ${actor.role} does not have the permission ${permission}`);
    request.actor = actor;
  });
};
