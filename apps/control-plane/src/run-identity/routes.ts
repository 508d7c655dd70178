/** Introspection (RFC 7662): whether a token still counts. Its run may have ended, or its device may not be what it was. */
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_TOKEN, openRunToken, RunTokenClaims } from '@cordon/policy/trust/run-token.ts';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { judgeNow } from '../compliance/now.ts';
import type { App, Feature } from '../context.ts';
import { badRequest } from '../errors.ts';
import { runRecords } from '../telemetry/runs.ts';
import { identityKeys } from './keys.ts';
import { isStillGood } from './run-identity.ts';

const closed = { additionalProperties: false } as const;
const Body = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: MAX_TOKEN }), token_type_hint: Type.Optional(Type.String({ maxLength: 64 })) },
  closed,
);
/** Nothing is said of why a token does not count (RFC 7662 §2.2). */
const Answer = Type.Union([
  Type.Object({ active: Type.Literal(false) }, closed),
  Type.Object({ active: Type.Literal(true), ...RunTokenClaims.properties }, closed),
]);

/** `name=value&…`, each name once (RFC 6749 §3.2). @throws Refusal request.form */
const readForm = (text: string): Record<string, string> => {
  const pairs = [...new URLSearchParams(text)];
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) throw badRequest('request.form', 'a name stands twice in the form');
  return Object.fromEntries(pairs);
};

export const registerRunIdentity: Feature = async (app, context) => {
  const { pool, organisation, clock } = context;
  const keys = await identityKeys(organisation);
  await app.register(async (own: App) => {
    own.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request: FastifyRequest, body: string) =>
      readForm(body),
    );
    own.post(
      '/identity/introspect',
      {
        config: { permission: 'identity.introspect' },
        schema: {
          tags: ['run identity'],
          summary: 'Whether the token of a run still counts: its run lives, and its device is compliant (RFC 7662; a form, or JSON)',
          body: Body,
          response: { 200: Answer },
        },
      },
      async (request) => {
        const claims = await openRunToken(request.body.token, keys, clock()).catch((error: unknown) => {
          if (error instanceof CordonError) return undefined;
          throw error;
        });
        if (claims === undefined) return { active: false as const };
        const { device } = claims.verified;
        const { run, parents } = claims.asserted;
        const records = await runRecords(pool, device, [run, ...parents]);
        const good = isStillGood(claims, records, await judgeNow(context, device), organisation.epoch);
        return good ? { active: true as const, ...claims } : { active: false as const };
      },
    );
  });
};
