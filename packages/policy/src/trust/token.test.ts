import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { CordonError } from '../errors.ts';
import { codeOf } from './_refusal.ts';
import { createWorld } from './_world.ts';
import { keyPairFromSeed } from './keys.ts';
import { formatToken, parseToken } from './token.ts';

const PARTS = { id: 'tok_abcdefghijklmnop', seed: Buffer.alloc(32, 5), fingerprint: 'F'.repeat(43) };
const TOKEN = formatToken(PARTS);
const base64Url = (length: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('base64url'));

describe('an enrollment token', () => {
  it('carries id, fingerprint and the seed of its key pair', () => {
    const parts = fc.record({
      id: base64Url(16).map((id) => `tok_${id}`),
      seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fingerprint: base64Url(32),
    });
    fc.assert(
      fc.property(parts, ({ id, seed, fingerprint }) => {
        const token = parseToken(formatToken({ id, seed, fingerprint }));
        expect([token.id, token.fingerprint, token.keyPair.jwk]).toEqual([id, fingerprint, keyPairFromSeed(seed).jwk]);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('carries the fingerprint of a root as it is', async () => {
    const { fingerprint } = await createWorld('org_a');
    expect(parseToken(formatToken({ ...PARTS, fingerprint })).fingerprint).toBe(fingerprint);
  });

  it('begins with what scanners for secrets look for', () => {
    expect(TOKEN).toMatch(/^cordon\.tok_/);
  });

  it('may be pasted with white space around it', () => {
    expect(parseToken(`  ${TOKEN}\n`).id).toBe(PARTS.id);
  });

  it('is refused with any character changed, left out, doubled or put in', async () => {
    for (let at = 0; at < TOKEN.length; at += 1) {
      const char = TOKEN[at] ?? '';
      const other = char === 'x' ? 'y' : 'x';
      for (const put of [other, '', char + char, char.toUpperCase() === char ? char.toLowerCase() : char.toUpperCase()].filter(
        (p) => p !== char,
      ))
        expect(await codeOf(() => parseToken(TOKEN.slice(0, at) + put + TOKEN.slice(at + 1)))).toBe('token.malformed');
    }
  });

  it.each([
    '',
    ' ',
    'cordon',
    'cordon....',
    `${TOKEN} ${TOKEN}`,
    `${TOKEN}.`,
    `x${TOKEN}`,
    TOKEN.replace('tok_', 'tok-'),
    'a'.repeat(1_000_000),
  ])('is refused when it is %#', async (text) => {
    expect(await codeOf(() => parseToken(text))).toBe('token.malformed');
  });

  it('is not repeated by the refusal, not even in part', () => {
    const seed = PARTS.seed.toString('base64url');
    for (const text of [TOKEN.replace(/.$/, 'z'), TOKEN.slice(0, -4), TOKEN.replace('cordon.', 'cordon,')]) {
      try {
        parseToken(text);
        expect.unreachable();
      } catch (error) {
        const told =
          error instanceof CordonError ? `${error.message} ${error.place ?? ''} ${error.stack ?? ''} ${String(error.cause)}` : '';
        expect(told).toContain('token');
        for (const part of [seed, seed.slice(0, 12), PARTS.id, PARTS.fingerprint.slice(0, 12)]) expect(told).not.toContain(part);
      }
    }
  });
});
