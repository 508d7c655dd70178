/** Enrollment as a device sees it: the root to check first, a challenge, then the proof of token and key. */
import { ChallengeReply, EnrollChallengeRequest, EnrollReply, EnrollRequest, RootReply } from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';
import type { Feature } from '../context.ts';
import { Refusal } from '../errors.ts';
import { onMembershipChanged } from '../publishing/publish.ts';
import { enroll } from './enroll.ts';
import { challengeFor, readStatement, verifyStatement } from './enrollment.ts';
import { findToken } from './store.ts';

/** One answer until the token's key is proved: who asks learns nothing about tokens. */
const refused = (cause?: unknown): Refusal =>
  new Refusal(
    401,
    'enroll.refused',
    'the enrollment was refused: unknown token, wrong key, or a challenge that is too old or was for another key; ask for a new challenge',
    { cause },
  );

export const registerEnroll: Feature = (app, context) => {
  const { organisation, prisma, sealer, log } = context;
  const tags = ['enrollment'];

  app.get(
    '/root',
    {
      // The same few bytes for everyone, and a whole office may ask from one address.
      config: { permission: 'public', rateLimit: { max: 6000 } },
      schema: {
        tags,
        summary: "The organisation's root documents and floor, to be compared with the token's fingerprint",
        response: { 200: RootReply },
      },
    },
    () => ({ org: organisation.orgId, roots: [...organisation.roots], floor: organisation.floor }),
  );

  app.post(
    '/enroll/challenge',
    {
      config: { permission: 'public' },
      schema: {
        tags,
        summary: 'A nonce for one token and one key, good for 60 seconds; both signatures again give the same answer again',
        body: EnrollChallengeRequest,
        response: { 200: ChallengeReply },
      },
    },
    async (request) => {
      const { token, jwk } = request.body;
      const { secret, expiresAt } = sealer.seal('enroll-challenge', challengeFor(token, thumbprint(checkPublicKey(jwk))));
      return { nonce: secret, expiresAt: expiresAt.toISOString() };
    },
  );

  app.post(
    '/enroll',
    {
      config: { permission: 'device' },
      schema: {
        tags,
        summary: 'Become a device: proved by the keys of token and device',
        body: EnrollRequest,
        response: { 200: EnrollReply },
      },
    },
    async (request) => {
      const jwk = checkPublicKey(request.body.jwk);
      const claimed = readStatement(request.body.statement);
      if (claimed.org !== organisation.orgId) throw refused();
      if (sealer.open('enroll-challenge', challengeFor(claimed.token, thumbprint(jwk)), claimed.nonce) === undefined) throw refused();
      const token = await findToken(prisma, claimed.token);
      if (token === null) throw refused();
      const statement = await verifyStatement(request.body.statement, { kty: 'OKP', crv: 'Ed25519', x: token.publicKey }, jwk).catch(
        (error: unknown) => {
          throw error instanceof CordonError ? refused(error) : error;
        },
      );
      const { isNew, ...reply } = await enroll(context, statement, jwk);
      try {
        await onMembershipChanged(context, [reply.device]);
      } catch (error) {
        // The device is enrolled; the next renewal of the checkpoint places it.
        log.error({ err: error, device: reply.device }, 'an enrolled device could not be placed yet');
      }
      log.info({ device: reply.device, isNew }, 'device enrolled');
      return reply;
    },
  );
};
