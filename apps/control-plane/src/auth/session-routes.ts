/** A device's session: signed challenge, then a ticket that opens the channel once. */
import { ChallengeReply, DeviceJwk, SessionChallengeRequest, SessionReply, SessionRequest } from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { openCompact } from '@cordon/policy/trust/envelope.ts';
import { thumbprint } from '@cordon/policy/trust/keys.ts';
import { randomBytes } from 'node:crypto';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Feature } from '../context.ts';
import { findDeviceKey } from '../devices/devices.ts';
import { Refusal } from '../errors.ts';
import { createOnceStore } from './tickets.ts';

const Statement = Compile(
  Type.Object({ org: Type.String(), device: Type.String(), nonce: Type.String() }, { additionalProperties: false }),
);
const Jwk = Compile(DeviceJwk);
const config = { permission: 'device' as const };

/** One answer for every way to fail: who asks learns nothing about which devices exist. */
const refused = (cause?: unknown): Refusal =>
  new Refusal(401, 'session.refused', 'the session was refused: unknown or revoked device, wrong key, or a challenge that is used up', {
    cause,
  });

export const registerSessions: Feature = (app, context) => {
  const { clock, organisation, prisma, tickets } = context;
  const nonces = createOnceStore<string>({ now: clock, random: randomBytes, ttlMs: 60_000, capacity: 200_000 });
  const tags = ['session'];

  app.post(
    '/session/challenge',
    {
      config,
      schema: {
        tags,
        summary: 'A nonce for one device, good once and for 60 seconds',
        body: SessionChallengeRequest,
        response: { 200: ChallengeReply },
      },
    },
    async (request) => {
      const issued = nonces.issue(request.body.device);
      return { nonce: issued.secret, expiresAt: issued.expiresAt.toISOString() };
    },
  );

  const schema = {
    tags,
    summary: "A ticket that opens the channel once, for a challenge signed by the device's key",
    body: SessionRequest,
    response: { 200: SessionReply },
  };
  app.post('/session', { config, schema }, async (request) => {
    const { device, proof } = request.body;
    const known = await findDeviceKey(prisma, device);
    if (known === undefined || !['active', 'pending'].includes(known.standing) || !Jwk.Check(known.jwk)) throw refused();
    const opened = await openCompact(proof, {
      typ: 'cordon-session+jws',
      keys: new Map([[thumbprint(known.jwk), known.jwk]]),
      maxBytes: 4096,
    }).catch((error: unknown) => {
      throw error instanceof CordonError ? refused(error) : error;
    });
    const statement = opened.payload;
    if (!Statement.Check(statement) || statement.org !== organisation.orgId || statement.device !== device) throw refused();
    if (nonces.redeem(statement.nonce) !== device) throw refused();
    const ticket = tickets.issue(device);
    return { ticket: ticket.secret, expiresAt: ticket.expiresAt.toISOString() };
  });
};
