/** For whoever takes tokens of runs: the keys (RFC 7517) and where everything is, as OpenID Connect Discovery and RFC 8414 lay it out. */
import { Type } from 'typebox';
import type { Context, Feature } from '../context.ts';
import { identityKeys } from './keys.ts';
import { issuerOf } from './issuer.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.String();
const Jwk = Type.Object({ kty: Text, crv: Text, x: Text, kid: Text, use: Text, alg: Text }, closed);
const Metadata = Type.Object(
  {
    issuer: Text,
    jwks_uri: Text,
    response_types_supported: Type.Array(Text),
    subject_types_supported: Type.Array(Text),
    id_token_signing_alg_values_supported: Type.Array(Text),
    claims_supported: Type.Array(Text),
  },
  closed,
);

/** Asked by everyone alike, and the same for everyone. */
const config = { permission: 'public' as const, rateLimit: { max: 6000 } };
const CACHED = 'public, max-age=300';

/** At the root of the device listener. */
export const registerWellKnown: Feature = async (app, context: Context) => {
  const keys = await identityKeys(context.organisation);
  const issuer = issuerOf(context, app);
  const tags = ['run identity'];

  app.get(
    '/.well-known/jwks.json',
    {
      config,
      schema: {
        tags,
        summary: 'Keys that tokens of runs are signed with',
        response: { 200: Type.Object({ keys: Type.Array(Jwk) }, closed) },
      },
    },
    async (_request, reply) =>
      reply.header('cache-control', CACHED).send({ keys: [...keys].map(([kid, jwk]) => ({ ...jwk, kid, use: 'sig', alg: 'Ed25519' })) }),
  );

  app.get(
    '/.well-known/openid-configuration',
    { config, schema: { tags, summary: 'Issuer of the tokens of runs, and where its keys are', response: { 200: Metadata } } },
    async (_request, reply) =>
      reply.header('cache-control', CACHED).send({
        issuer: issuer(),
        jwks_uri: `${issuer()}/.well-known/jwks.json`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['Ed25519'],
        claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'verified', 'asserted'],
      }),
  );
};
