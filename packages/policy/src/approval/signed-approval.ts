/** An approval as it travels: a general JWS by approvers' own keys, counted by distinct key against the root's threshold. */
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { openGeneral, peekGeneral, signGeneral, type Signer } from '../trust/envelope.ts';
import type { TrustedRoot } from '../trust/root.ts';
import { ApprovalPayload, MAX_APPROVAL_MS } from './approval.ts';

export const MAX_APPROVAL_BYTES = 16_384;
/** Clocks of whoever proposes and of who verifies may differ by so much. */
const CLOCK_SKEW_MS = 15 * 60_000;

const validator = Compile(ApprovalPayload);

const demand: (held: boolean, code: string, message: string) => asserts held = (held, code, message) => {
  if (!held) throw new CordonError(code, message);
};

/** Signs what people approve. Several signers give several signatures over the same bytes. */
export const signApproval = (payload: ApprovalPayload, signers: readonly Signer[]): Promise<string> =>
  signGeneral(payload, 'cordon-approval+jws', signers);

/** What an approval says of itself, before anybody has verified it. @throws CordonError `approval.schema`, `jws.*`, `json.*` */
export const peekApproval = (jws: string): ApprovalPayload => {
  const payload = peekGeneral(jws, MAX_APPROVAL_BYTES);
  demand(validator.Check(payload), 'approval.schema', 'not an approval');
  return payload;
};

/**
 * Verifies an approval under the newest root: who signed, for which organisation and epoch, and that it may be used now. Whether it fits what was
 * approved before is for `walk`.
 * @throws CordonError `approval.schema|threshold|root-expired|org|epoch|lifetime|future|expired`, `jws.*`, `json.*`
 */
export const verifyApproval = async (jws: string, root: TrustedRoot, now: Date): Promise<ApprovalPayload> => {
  const { payload, kids } = await openGeneral(jws, {
    typ: 'cordon-approval+jws',
    keys: root.keys('approver'),
    maxBytes: MAX_APPROVAL_BYTES,
  });
  const { org, epoch, expiresAt: rootExpiresAt, roles } = root.document;
  demand(validator.Check(payload), 'approval.schema', 'not an approval');
  demand(
    kids.size >= roles.approver.threshold,
    'approval.threshold',
    `the root demands ${roles.approver.threshold} approvers; ${kids.size} signed`,
  );
  demand(Date.parse(rootExpiresAt) > now.getTime(), 'approval.root-expired', `the root expired at ${rootExpiresAt}: sign a new one`);
  demand(payload.org === org, 'approval.org', 'the approval is of another organisation');
  demand(payload.epoch === epoch, 'approval.epoch', `the approval is of epoch ${payload.epoch}, and the root is in epoch ${epoch}`);
  const issuedAt = Date.parse(payload.issuedAt);
  const lives = (until: string): boolean => Date.parse(until) > issuedAt && Date.parse(until) - issuedAt <= MAX_APPROVAL_MS;
  demand(lives(payload.expiresAt), 'approval.lifetime', 'an approval lives at most 30 days, forwards');
  demand(payload.wayBackUntil === null || lives(payload.wayBackUntil), 'approval.lifetime', 'the way back is open for at most 30 days');
  demand(
    issuedAt <= now.getTime() + CLOCK_SKEW_MS,
    'approval.future',
    `the approval was issued at ${payload.issuedAt}, which is still to come`,
  );
  demand(Date.parse(payload.expiresAt) > now.getTime(), 'approval.expired', `the approval expired at ${payload.expiresAt}: propose again`);
  return payload;
};
