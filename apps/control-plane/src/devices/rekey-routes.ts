/** A device's next key: asked for by the device, in force at once, on every replica. */
import { ChallengeReply, RekeyReply, RekeyRequest, SessionChallengeRequest } from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import { thumbprint } from '@cordon/policy/trust/keys.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Feature, Tx } from '../context.ts';
import { conflict, onDuplicate, Refusal } from '../errors.ts';
import { notifySessions } from '../gateway/notices.ts';
import { findByKey, replaceKey, type Rotation } from './keys.ts';
import { verifyRekey } from './rekey.ts';

/** One answer for every way to fail: who asks learns nothing about which devices exist. */
const refused = (cause?: unknown): Refusal =>
  new Refusal(401, 'rekey.refused', 'the next key was refused: unknown or revoked device, wrong keys, or a challenge that is too old', {
    cause,
  });
const known = conflict('rekey.key-known', 'the next key belongs or belonged to a device; make another');

/** @returns whether the key was replaced now; not, when it had been before and the answer was lost. @throws Refusal rekey.refused, rekey.key-known */
const rotate = async (tx: Tx, rotation: Rotation): Promise<boolean> => {
  const { device, from, to, at } = rotation;
  const [holder, former] = [await findByKey(tx, thumbprint(to)), await findByKey(tx, thumbprint(from))];
  if (former?.id !== device || !(former.standing === 'active' || former.standing === 'pending')) throw refused();
  if (holder !== undefined) {
    if (holder.id === device && !holder.isFormer && former.isFormer) return false;
    throw known;
  }
  const generation = await replaceKey(tx, rotation);
  if (generation === undefined) {
    // Another request was first: perhaps the same one.
    const meanwhile = await findByKey(tx, thumbprint(to));
    if (meanwhile?.id === device && !meanwhile.isFormer) return false;
    throw refused();
  }
  await notifySessions(tx, { kind: 'end', reason: 'device.rekeyed', devices: [device] });
  const detail = { from: thumbprint(from), to: thumbprint(to), generation };
  await appendAudit(tx, { actor: `device:${device}`, action: 'device.rekey', subject: device, detail, at });
  return true;
};

export const registerRekey: Feature = (app, context) => {
  const { prisma, clock, hub, organisation, sealer, log } = context;
  const tags = ['session'];
  const config = { permission: 'device' } as const;

  app.post(
    '/rekey/challenge',
    {
      config,
      schema: {
        tags,
        summary: 'A nonce for the next key of one device, good for 60 seconds',
        body: SessionChallengeRequest,
        response: { 200: ChallengeReply },
      },
    },
    async (request) => {
      const { secret, expiresAt } = sealer.seal('rekey-challenge', request.body.device);
      return { nonce: secret, expiresAt: expiresAt.toISOString() };
    },
  );

  const schema = {
    tags,
    summary: "Replace a device's key by another: proved by both. The same two again give the same answer",
    body: RekeyRequest,
    response: { 200: RekeyReply },
  };
  app.post('/rekey', { config, schema }, async (request) => {
    const { device, from, to, statement } = request.body;
    const stated = await verifyRekey(statement, from, to).catch((error: unknown) => {
      throw error instanceof CordonError ? refused(error) : error;
    });
    if (stated.org !== organisation.orgId || stated.device !== device) throw refused();
    if (sealer.open('rekey-challenge', device, stated.nonce) === undefined) throw refused();
    const isNew = await prisma.$transaction((tx) => rotate(tx, { device, from, to, at: clock() })).catch(onDuplicate(known));
    if (isNew) {
      hub.disconnect(device, CLOSE.replaced, 'device.rekeyed');
      log.info({ device }, 'a device has its next key');
    }
    return { device, key: stated.to };
  });
};
