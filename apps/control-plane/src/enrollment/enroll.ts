/** One enrollment: token and key proved, token used once, device made, all in one transaction. */
import type { DeviceJwk, EnrollReply } from '@cordon/policy/protocol/enrollment.ts';
import { thumbprint } from '@cordon/policy/trust/keys.ts';
import { appendAudit } from '../audit/audit.ts';
import type { Context, Tx } from '../context.ts';
import { findByKey, insertDevice } from '../devices/devices.ts';
import { conflict, Refusal } from '../errors.ts';
import { followRules } from '../groups/dynamic.ts';
import { addMember } from '../groups/groups.ts';
import { newId } from '../ids.ts';
import { whyUnusable, type EnrollStatement } from './enrollment.ts';
import { consumeToken, findToken } from './store.ts';

const UNUSABLE = {
  revoked: 'the enrollment token was revoked; ask for another',
  expired: 'the enrollment token has expired; ask for another',
  used: 'the enrollment token was used as often as it allows; ask for another',
} as const;

const unusable = (why: keyof typeof UNUSABLE): Refusal => new Refusal(403, `enroll.token-${why}`, UNUSABLE[why]);

interface Enrolled {
  readonly id: string;
  readonly memberIndex: number;
  readonly isPending: boolean;
}

/** The same key with the same token again: the answer was lost on its way, so it is given again. */
const again = async (tx: Tx, jkt: string, token: string): Promise<Enrolled | undefined> => {
  const known = await findByKey(tx, jkt);
  if (known === undefined) return undefined;
  const { id, memberIndex, standing } = known;
  if (known.enrollmentTokenId !== token || known.isFormer || !(standing === 'active' || standing === 'pending'))
    throw conflict(
      'enroll.key-known',
      'this key belongs or belonged to a device; a key is never used for a second: remove the state folder, and enrol with another token',
    );
  return { id, memberIndex, isPending: standing === 'pending' };
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
  const answer = ({ id, memberIndex, isPending }: Enrolled, isNew: boolean): EnrollReply & { readonly isNew: boolean } => ({
    device: id,
    memberIndex,
    org: organisation.orgId,
    ...(isPending && { pending: true }),
    isNew,
  });
  // A token never becomes usable again: a crowd that comes with a used one waits for nobody.
  const known = await findToken(prisma, token);
  const spent = known === null ? 'used' : whyUnusable(known, at);
  if (spent !== undefined && (await findByKey(prisma, jkt)) === undefined) throw unusable(spent);
  return prisma.$transaction(async (tx) => {
    const before = await again(tx, jkt, token);
    if (before !== undefined) return answer(before, false);
    const consumed = await consumeToken(tx, token, at);
    // Whoever waited for the token's row finds now what the one before has done.
    const meanwhile = await again(tx, jkt, token);
    if (consumed === undefined) {
      if (meanwhile !== undefined) return answer(meanwhile, false);
      const stored = await findToken(tx, token);
      const why = stored === null ? 'used' : (whyUnusable(stored, at) ?? 'used');
      throw unusable(why);
    }
    if (meanwhile !== undefined) throw conflict('enroll.again', 'this key is being enrolled by another request; ask again');
    const { groupId, approval } = consumed;
    const id = newId('dev');
    const memberIndex = await insertDevice(tx, {
      id,
      thumbprint: jkt,
      jwk,
      facts,
      enrollmentTokenId: token,
      at,
      approvedAt: approval ? null : at,
    });
    if (groupId !== null) await addMember(tx, groupId, id, at);
    await followRules(tx, at, { devices: [id] });
    await appendAudit(tx, {
      actor: `enrollment-token:${token}`,
      action: 'device.enroll',
      subject: id,
      detail: { name: facts.name, assurance: facts.assurance, thumbprint: jkt, group: groupId, memberIndex, pending: approval },
      at,
    });
    return answer({ id, memberIndex, isPending: approval }, true);
  });
};
