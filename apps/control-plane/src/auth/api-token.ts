/** API tokens for programs: `cordon_pat_<id>_<secret>`. Shown once; the database keeps the SHA-256 of the secret (256 random bits need no slow hash). */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Role } from './permissions.ts';
import { isRole } from './permissions.ts';

/** What the caller presents, taken apart. */
export interface PresentedToken {
  readonly id: string;
  readonly secretHash: string;
}

/** @param random 12 random bytes for the id and 32 for the secret */
export const makeToken = (
  random: (bytes: number) => Buffer,
): { readonly id: string; readonly text: string; readonly secretHash: string } => {
  const part = random(12).toString('hex');
  const secret = random(32).toString('base64url');
  return { id: `tok_${part}`, text: `cordon_pat_${part}_${secret}`, secretHash: hashSecret(secret) };
};

const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** @returns undefined for whatever is not a token at all */
export const parseBearer = (header: string | undefined): PresentedToken | undefined => {
  const [, part, secret] = /^Bearer cordon_pat_([0-9a-f]{24})_([A-Za-z0-9_-]{43})$/i.exec(header ?? '') ?? [];
  return part === undefined || secret === undefined ? undefined : { id: `tok_${part.toLowerCase()}`, secretHash: hashSecret(secret) };
};

export interface StoredToken {
  readonly id: string;
  readonly secretHash: string;
  readonly role: string;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Constant time in the secret. @returns the role, or why the token is not accepted */
export const judgeToken = (
  presented: PresentedToken,
  stored: StoredToken | null,
  now: Date,
): { readonly role: Role } | 'unknown' | 'revoked' | 'expired' => {
  if (stored === null || !timingSafeEqual(Buffer.from(stored.secretHash, 'hex'), Buffer.from(presented.secretHash, 'hex')))
    return 'unknown';
  if (stored.revokedAt !== null) return 'revoked';
  if (stored.expiresAt !== null && stored.expiresAt <= now) return 'expired';
  return isRole(stored.role) ? { role: stored.role } : 'unknown';
};
