/** A device's session: signed challenge, then a ticket that opens the channel once. Any replica can take each step. */
import {
  ChallengeReply,
  DeviceJwk,
  SessionChallengeRequest,
  SessionReply,
  SessionRequest,
  SessionStatement,
} from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { openCompact } from '@cordon/policy/trust/envelope.ts';
import { admit } from '@cordon/policy/trust/keys.ts';
import { Compile } from 'typebox/compile';
import type { Feature } from '../context.ts';
import { findDeviceKey } from '../devices/devices.ts';
import { Refusal } from '../errors.ts';

const Statement = Compile(SessionStatement);
const Jwk = Compile(DeviceJwk);
const config = { permission: 'device' as const };

/** One answer for every way to fail: who asks learns nothing about which devices exist. */
const refused = (cause?: unknown): Refusal =>
  new Refusal(401, 'session.refused', 'the session was refused: unknown or revoked device, wrong key, or a challenge that is too old', {
    cause,
  });

export const registerSessions: Feature = (app, context) => {
  const { organisation, prisma, sealer, tickets } = context;
  const tags = ['session'];

  app.post(
    '/session/challenge',
    {
      config,
      schema: {
        tags,
        summary: 'A nonce for one device, good for 60 seconds',
        body: SessionChallengeRequest,
        response: { 200: ChallengeReply },
      },
    },
    async (request) => {
      const { secret, expiresAt } = sealer.seal('session-challenge', request.body.device);
      return { nonce: secret, expiresAt: expiresAt.toISOString() };
    },
  );

  const schema = {
    tags,
    summary: "A ticket that opens the channel once, for a challenge signed by the device's key; or that its number was used before",
    body: SessionRequest,
    response: { 200: SessionReply },
  };
  app.post('/session', { config, schema }, async (request) => {
    const { device, proof } = request.body;
    const known = await findDeviceKey(prisma, device);
    if (known === undefined || !(known.standing === 'active' || known.standing === 'pending') || !Jwk.Check(known.jwk)) throw refused();
    const { generation, joins } = known;
    const opened = await openCompact(proof, {
      typ: 'cordon-session+jws',
      keys: admit(known.jwk),
      maxBytes: 4096,
    }).catch((error: unknown) => {
      throw error instanceof CordonError ? refused(error) : error;
    });
    const statement = opened.payload;
    if (!Statement.Check(statement) || statement.org !== organisation.orgId || statement.device !== device) throw refused();
    if (sealer.open('session-challenge', device, statement.nonce) === undefined) throw refused();
    // Only whoever has the key is told. The device takes it as a number to begin above, and believes nothing else for it.
    if (statement.join.count <= joins) return { behind: joins };
    const { secret, expiresAt } = tickets.issue({ device, generation, join: statement.join });
    return { ticket: secret, expiresAt: expiresAt.toISOString() };
  });
};
