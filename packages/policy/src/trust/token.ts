/** Enrollment tokens: `cordon.ID.SEED.FINGERPRINT.CHECK`. The seed of a key pair, never sent; scanners find the prefix, typing errors fail the check. */
import { CordonError } from '../errors.ts';
import { sha256Hex } from './digest.ts';
import { keyPairFromSeed, type KeyPair } from './keys.ts';

export interface EnrollmentToken {
  readonly id: string;
  readonly keyPair: KeyPair;
  /** Of the organisation's first root document. */
  readonly fingerprint: string;
}

const check = (body: string): string => sha256Hex(body).slice(0, 8);

export const formatToken = ({
  id,
  seed,
  fingerprint,
}: {
  readonly id: string;
  readonly seed: Uint8Array;
  readonly fingerprint: string;
}): string => {
  const body = `cordon.${id}.${Buffer.from(seed).toString('base64url')}.${fingerprint}`;
  return `${body}.${check(body)}`;
};

/** @throws CordonError `token.malformed`; the message never holds any part of the token */
export const parseToken = (text: string): EnrollmentToken => {
  const match = /^(cordon\.([a-z]{1,8}_[A-Za-z0-9_-]{16,43})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43}))\.([0-9a-f]{8})$/.exec(text.trim());
  if (match === null)
    throw new CordonError('token.malformed', 'this is not an enrollment token; copy the whole line that begins with "cordon."');
  const [, body = '', id = '', seed = '', fingerprint = '', sum = ''] = match;
  if (check(body) !== sum)
    throw new CordonError('token.malformed', 'the token has a typing error: its check characters do not fit; copy it again');
  return { id, keyPair: keyPairFromSeed(Buffer.from(seed, 'base64url')), fingerprint };
};
