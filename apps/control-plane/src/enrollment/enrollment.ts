/** What an enrollment must prove. Pure. */
import { Base64Url, DeviceFacts, type DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { openGeneral, peekGeneral } from '@cordon/policy/trust/envelope.ts';
import { admit, checkPublicKey, thumbprint } from '@cordon/policy/trust/keys.ts';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const MAX_STATEMENT = 16_384;

export const EnrollStatement = Type.Object(
  {
    org: Type.String({ maxLength: 64 }),
    nonce: Base64Url(64),
    token: Type.String({ maxLength: 64 }),
    jkt: Base64Url(43),
    facts: DeviceFacts,
  },
  { additionalProperties: false },
);
export type EnrollStatement = Static<typeof EnrollStatement>;
const validator = Compile(EnrollStatement);

/** What the statement claims, before anything is verified: only to know which token's key to ask for. @throws CordonError enroll.statement */
export const readStatement = (text: string): EnrollStatement => {
  const claimed = peekGeneral(text, MAX_STATEMENT);
  if (!validator.Check(claimed)) {
    const [first] = validator.Errors(claimed);
    throw new CordonError(
      'enroll.statement',
      `the enrollment statement is not valid: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
      { place: first?.instancePath ?? '' },
    );
  }
  return claimed;
};

/** The nonce was given for exactly this token and key. */
export const challengeFor = (token: string, jkt: string): string => `${token} ${jkt}`;

/**
 * Exactly two signatures over the same bytes: by the token's key, whose seed the device was given, and by the device's own, which never leaves it.
 * @throws CordonError enroll.signatures, enroll.statement, jws.*, key.refused
 */
export const verifyStatement = async (text: string, tokenKey: DeviceJwk, deviceKey: DeviceJwk): Promise<EnrollStatement> => {
  const [tokenKid, deviceKid] = [tokenKey, deviceKey].map((jwk) => thumbprint(checkPublicKey(jwk)));
  if (tokenKid === undefined || deviceKid === undefined || tokenKid === deviceKid)
    throw new CordonError('enroll.signatures', "the device's key must not be the token's");
  const { payload, kids } = await openGeneral(text, {
    typ: 'cordon-enroll+jws',
    keys: admit(tokenKey, deviceKey),
    maxBytes: MAX_STATEMENT,
  });
  const { signatures } = JSON.parse(text) as { signatures: readonly unknown[] };
  if (signatures.length !== 2 || kids.size !== 2)
    throw new CordonError('enroll.signatures', "the statement must be signed exactly twice: by the token's key and by the device's");
  if (!validator.Check(payload)) throw new CordonError('enroll.statement', 'the enrollment statement is not valid');
  if (payload.jkt !== deviceKid) throw new CordonError('enroll.statement', 'the statement is about another key', { place: '/jkt' });
  return payload;
};

export interface TokenState {
  readonly uses: number;
  readonly maxUses: number;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

/** Why a token cannot be used now; undefined when it can. */
export const whyUnusable = ({ uses, maxUses, expiresAt, revokedAt }: TokenState, now: Date): 'revoked' | 'expired' | 'used' | undefined => {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt <= now) return 'expired';
  return uses >= maxUses ? 'used' : undefined;
};
