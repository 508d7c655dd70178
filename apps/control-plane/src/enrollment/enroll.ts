/** One enrollment: token and key proved, token used once, device made, all in one transaction. */
import type { DeviceJwk, EnrollReply } from '@cordon/policy/protocol/enrollment.ts';
import { thumbprint } from '@cordon/policy/trust/keys.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { insertDevice } from '../devices/devices.ts';
import { conflict, Refusal } from '../errors.ts';
import { addMember } from '../groups/groups.ts';
import { newId } from '../ids.ts';
import { whyUnusable, type EnrollStatement } from './enrollment.ts';
import { consumeToken, findByThumbprint, findToken } from './store.ts';

const UNUSABLE = {
  revoked: 'the enrollment token was revoked; ask for another',
  expired: 'the enrollment token has expired; ask for another',
  used: 'the enrollment token was used as often as it allows; ask for another',
} as const;

/** The same key with the same token again: the answer was lost on its way, so it is given again. */
const again = async (tx: Tx, jkt: string, token: string): Promise<{ id: string; memberIndex: number } | undefined> => {
  const known = await findByThumbprint(tx, jkt);
  if (known === null) return undefined;
  if (known.enrollmentTokenId !== token || known.revokedAt !== null)
    throw conflict('enroll.key-known', 'this key belongs to a device already; make a new key and enrol with another token');
  return { id: known.id, memberIndex: known.memberIndex };
};

/**
 * @param statement verified by both keys
 * @throws Refusal enroll.token-revoked, enroll.token-expired, enroll.token-used, enroll.key-known
 */
export const enroll = async (
  { prisma, clock, organisation }: Context,
  statement: EnrollStatement,
  jwk: DeviceJwk,
): Promise<EnrollReply & { readonly isNew: boolean }> => {
  const at = clock();
  const jkt = thumbprint(jwk);
  const { token, facts } = statement;
  return prisma.$transaction(async (tx) => {
    const before = await again(tx, jkt, token);
    if (before !== undefined) return { device: before.id, memberIndex: before.memberIndex, org: organisation.orgId, isNew: false };
    const consumed = await consumeToken(tx, token, at);
    // Whoever waited for the token's row finds now what the one before has done.
    const meanwhile = await again(tx, jkt, token);
    if (consumed === undefined) {
      if (meanwhile !== undefined)
        return { device: meanwhile.id, memberIndex: meanwhile.memberIndex, org: organisation.orgId, isNew: false };
      const stored = await findToken(tx, token);
      const why = stored === null ? 'used' : (whyUnusable(stored, at) ?? 'used');
      throw new Refusal(403, `enroll.token-${why}`, UNUSABLE[why]);
    }
    if (meanwhile !== undefined) throw conflict('enroll.again', 'this key is being enrolled by another request; ask again');
    const device = newId('dev');
    const memberIndex = await insertDevice(tx, { id: device, thumbprint: jkt, jwk, facts, enrollmentTokenId: token, at });
    if (consumed.groupId !== null) await addMember(tx, consumed.groupId, device, at);
    await appendAudit(tx, {
      actor: `enrollment-token:${token}`,
      action: 'device.enroll',
      subject: device,
      detail: { name: facts.name, thumbprint: jkt, group: consumed.groupId, memberIndex },
      at,
    });
    return { device, memberIndex, org: organisation.orgId, isNew: true };
  });
};
