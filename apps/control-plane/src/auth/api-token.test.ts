import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { judgeToken, makeToken, parseBearer, type StoredToken } from './api-token.ts';
import { ROLES } from './permissions.ts';

const NOW = new Date('2026-11-24T12:00:00.000Z');
const made = makeToken(randomBytes);
const presented = parseBearer(`Bearer ${made.text}`);
const stored = (change: Partial<StoredToken> = {}): StoredToken => ({
  id: made.id,
  secretHash: made.secretHash,
  role: 'auditor',
  expiresAt: null,
  revokedAt: null,
  ...change,
});
const verdict = (token: StoredToken | null, now = NOW): unknown => {
  if (presented === undefined) throw new Error('the token was not read');
  return judgeToken(presented, token, now);
};

describe('an API token', () => {
  it('is read back as what was made, and keeps its secret to itself', () => {
    expect(presented).toEqual({ id: made.id, secretHash: made.secretHash });
    expect(made.text).not.toContain(made.secretHash);
    expect(JSON.stringify({ id: made.id, secretHash: made.secretHash })).not.toContain(made.text.slice(-43));
  });

  it('is accepted while it is neither revoked nor expired, with its role', () => {
    for (const role of ROLES) expect(verdict(stored({ role }))).toEqual({ role });
    expect(verdict(stored({ expiresAt: new Date(NOW.getTime() + 1) }))).toEqual({ role: 'auditor' });
    expect(verdict(stored({ expiresAt: NOW }))).toBe('expired');
    expect(verdict(stored({ revokedAt: NOW }))).toBe('revoked');
    expect(verdict(stored({ revokedAt: NOW, expiresAt: NOW }))).toBe('revoked');
    expect(verdict(stored({ role: 'emperor' }))).toBe('unknown');
  });

  it('is unknown when its secret is another, whether or not the id exists', () => {
    expect(verdict(null)).toBe('unknown');
    const other = makeToken(randomBytes).secretHash;
    expect(verdict(stored({ secretHash: other }))).toBe('unknown');
    // Not even why it would be refused is told to who does not have the secret.
    expect(verdict(stored({ secretHash: other, revokedAt: NOW }))).toBe('unknown');
  });

  it('is nothing but exactly its form: whatever else stands in the header is no token', () => {
    for (const header of [
      undefined,
      '',
      made.text,
      `Bearer ${made.text}x`,
      `Bearer  ${made.text}`,
      `Bearer ${made.text} `,
      `Bearer ${made.text}\n`,
      `Basic ${made.text}`,
      `Bearer ${made.text.slice(0, -1)}`,
      'Bearer cordon_pat__',
    ])
      expect(parseBearer(header), String(header)).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        const found = parseBearer(text);
        if (found !== undefined) expect(text).toMatch(/^Bearer cordon_pat_[0-9a-f]{24}_[\w-]{43}$/i);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('never falls to one changed character', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const secretAt = made.text.length - 43;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 42 }), fc.constantFrom(...alphabet.split('')), (at, char) => {
        const place = secretAt + at;
        if (made.text[place] === char) return;
        const changed = parseBearer(`Bearer ${made.text.slice(0, place)}${char}${made.text.slice(place + 1)}`);
        expect(changed === undefined ? 'unknown' : judgeToken(changed, stored(), NOW)).toBe('unknown');
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
