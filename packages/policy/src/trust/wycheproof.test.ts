/** Published vectors (see _vectors.ts). Where Cordon is stricter than a vector expects, the vector is listed here with the reason; any other deviation fails. */
import { subtle } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { b64, PAYLOAD, TYP } from './_jws.ts';
import { codeOf } from './_refusal.ts';
import { HAS_VECTORS, readVector } from './_vectors.ts';
import { openCompact } from './envelope.ts';
import { checkPublicKey, isSignedBy, thumbprint, type KeyPair } from './keys.ts';

interface Vectors<Group, Case> {
  readonly numberOfTests: number;
  readonly testGroups: readonly (Group & {
    readonly tests: readonly (Case & { readonly tcId: number; readonly result: 'valid' | 'invalid' })[];
  })[];
}
const read = <Group, Case>(name: string): Vectors<Group, Case> =>
  JSON.parse(readVector(name) ?? '{"numberOfTests":0,"testGroups":[]}') as Vectors<Group, Case>;
const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const flat = <Group, Case>({ testGroups }: Vectors<Group, Case>) =>
  testGroups.flatMap((group) => group.tests.map((test) => ({ group, ...test })));

describe.skipIf(!HAS_VECTORS)('Wycheproof Ed25519', () => {
  const vectors = read<{ readonly publicKeyJwk: { readonly x: string } }, { readonly msg: string; readonly sig: string }>(
    'wycheproof-ed25519.json',
  );
  const cases = flat(vectors).map(({ group, ...test }) => ({
    ...test,
    jwk: { kty: 'OKP', crv: 'Ed25519', x: group.publicKeyJwk.x } as KeyPair['jwk'],
  }));

  it('has all its cases', () => {
    expect(cases).toHaveLength(vectors.numberOfTests);
  });

  it('uses only keys that are admitted', () => {
    for (const { jwk } of cases) expect(checkPublicKey(jwk)).toEqual(jwk);
  });

  // A vector's message is no signing input of a JWS, so what the envelope verifies with is asked itself, and another implementation of the same.
  it('is answered as expected by what verifies below the envelope, and by WebCrypto', async () => {
    for (const { tcId, jwk, msg, sig, result } of cases) {
      const [message, signature] = [Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')];
      expect([tcId, isSignedBy(checkPublicKey(jwk), message, signature)]).toEqual([tcId, result === 'valid']);
      const key = await subtle.importKey('jwk', jwk, 'Ed25519', false, ['verify']);
      expect([tcId, await subtle.verify('Ed25519', key, signature, message)]).toEqual([tcId, result === 'valid']);
    }
  });

  it('has no signature, edge cases included, that verifies for a statement that was not signed', async () => {
    for (const { tcId, jwk, sig } of cases) {
      const kid = thumbprint(jwk);
      const jws = `${b64(JSON.stringify({ alg: 'Ed25519', kid, typ: TYP }))}.${PAYLOAD}.${b64(Buffer.from(sig, 'hex'))}`;
      const code = await codeOf(() => openCompact(jws, { typ: TYP, keys: new Map([[kid, jwk]]), maxBytes: 4096 }));
      expect([tcId, code]).toEqual([tcId, sig.length === 128 ? 'jws.signature' : 'jws.encoding']);
    }
  });
});

describe.skipIf(!HAS_VECTORS)('Wycheproof JWS', () => {
  interface Group {
    readonly public?: KeyPair['jwk'] & { readonly kid?: string };
    readonly private: KeyPair['jwk'] & { readonly kid?: string };
  }
  const vectors = read<Group, { readonly jws: string }>('wycheproof-jws.json');
  const cases = flat(vectors);

  /** Valid there, refused here. All of them also lack the type of object that each header must name. */
  const STRICTER: readonly { readonly because: string; readonly tcIds: readonly number[] }[] = [
    { because: 'HS256: whoever can verify could also sign; Cordon takes Ed25519 alone', tcIds: [1, 348, 352, 357, 358, 359, 376, 377] },
    { because: 'ES256 and ES521: Cordon takes Ed25519 alone', tcIds: [18, 347, 351, 378] },
    { because: 'RS256, RS384 and RS512: Cordon takes Ed25519 alone', tcIds: [33, ...from(259, 271), 345, 349] },
    {
      because: 'PS256, PS384 and PS512: Cordon takes Ed25519 alone',
      tcIds: [...from(272, 275), 287, 288, ...from(320, 323), ...from(325, 328), 346, 350],
    },
    { because: 'HS256, and a character that base64url does not have inside a part', tcIds: [372, 373] },
  ];

  it('has all its cases', () => {
    expect(cases).toHaveLength(vectors.numberOfTests);
  });

  it('is refused whole, before any key is looked at: what it calls valid is on the list, and nothing else is', async () => {
    const refusedThoughValid: number[] = [];
    for (const { group, tcId, jws, result } of cases) {
      const jwk = group.public ?? group.private;
      const code = await codeOf(() => openCompact(jws, { typ: TYP, keys: new Map([[jwk.kid ?? '', jwk]]), maxBytes: 4096 }));
      expect([tcId, code]).toEqual([tcId, expect.stringMatching(/^(?:jws\.(?:header|encoding)|json\.refused)$/)]);
      if (result === 'valid') refusedThoughValid.push(tcId);
    }
    expect(refusedThoughValid).toEqual(STRICTER.flatMap(({ tcIds }) => tcIds).sort((a, b) => a - b));
  });
});
