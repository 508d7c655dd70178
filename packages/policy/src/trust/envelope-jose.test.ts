/** A second opinion: what is signed here is what JOSE says it is, and where jose is laxer than this code, that is so on purpose. */
import fc from 'fast-check';
import { compactVerify, CompactSign, GeneralSign, generalVerify, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { alice, b64, bob, compactOf, EXPECTED, headOf, PAYLOAD, TYP } from './_jws.ts';
import { codeOf } from './_refusal.ts';
import { openCompact, openGeneral, signCompact, signGeneral } from './envelope.ts';
import type { KeyPair } from './keys.ts';

const joseKey = ({ jwk }: KeyPair) => importJWK({ ...jwk }, 'Ed25519');
const header = ({ kid }: KeyPair) => ({ alg: 'Ed25519', kid, typ: TYP });
const payload = fc.dictionary(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean()),
);
const ALGORITHMS = { algorithms: ['Ed25519'] };

const joseTakes = async (jws: string, pair: KeyPair): Promise<boolean> => {
  try {
    await compactVerify(jws, await joseKey(pair), ALGORITHMS);
    return true;
  } catch {
    return false; // whatever it says is a refusal
  }
};

describe('jose', () => {
  it('verifies what is signed here, and reads the same', async () => {
    await fc.assert(
      fc.asyncProperty(payload, async (value) => {
        const compact = await compactVerify(await signCompact(value, TYP, alice), await joseKey(alice), ALGORITHMS);
        expect(compact.protectedHeader).toEqual(header(alice));
        expect(Buffer.from(compact.payload).toString()).toBe(JSON.stringify(value));
        const general = JSON.parse(await signGeneral(value, TYP, [alice, bob])) as Parameters<typeof generalVerify>[0];
        for (const pair of [alice, bob]) {
          const signatures = general.signatures.filter(({ protected: head }) => head === headOf(pair));
          expect(signatures).toHaveLength(1);
          const { payload: read } = await generalVerify({ ...general, signatures }, await joseKey(pair), ALGORITHMS);
          expect(Buffer.from(read).toString()).toBe(JSON.stringify(value));
        }
      }),
      { numRuns: Math.min(LAW_RUNS, 500) },
    );
  });

  it('signs what is opened here', async () => {
    await fc.assert(
      fc.asyncProperty(payload, async (value) => {
        fc.pre(!Object.hasOwn(value, '__proto__'));
        const bytes = Buffer.from(JSON.stringify(value));
        const compact = await new CompactSign(bytes).setProtectedHeader(header(bob)).sign(bob.privateKey);
        expect(await openCompact(compact, EXPECTED)).toEqual({ payload: value, payloadText: bytes.toString(), kid: bob.kid });
        const general = new GeneralSign(bytes);
        for (const pair of [alice, bob]) general.addSignature(pair.privateKey).setProtectedHeader(header(pair));
        const opened = await openGeneral(JSON.stringify(await general.sign()), EXPECTED);
        expect(opened).toEqual({ payload: value, payloadText: bytes.toString(), kids: new Set([alice.kid, bob.kid]) });
      }),
      { numRuns: Math.min(LAW_RUNS, 500) },
    );
  });

  it('agrees that a statement with one bit changed, or under another key, is not signed', async () => {
    const good = compactOf(headOf(alice), PAYLOAD);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: good.length - 1 }), fc.integer({ min: 0, max: 6 }), async (at, bit) => {
        const changed = good.slice(0, at) + String.fromCharCode(good.charCodeAt(at) ^ (1 << bit)) + good.slice(at + 1);
        expect(await codeOf(() => openCompact(changed, EXPECTED))).not.toBe('accepted');
        // Only where a lax decoder reads the same bytes does jose still verify: in the bits after the signature's last byte.
        if (await joseTakes(changed, alice)) expect(at).toBe(good.length - 1);
      }),
      { numRuns: LAW_RUNS },
    );
    expect(await joseTakes(good, alice)).toBe(true);
    expect(await joseTakes(good, bob)).toBe(false);
  });

  it.each<readonly [why: string, jws: string, code: string]>([
    ['a header with other members', compactOf(headOf(alice, { jku: 'https://keys.example' }), PAYLOAD), 'jws.header'],
    ['another type', compactOf(headOf(alice, { typ: 'JWT' }), PAYLOAD), 'jws.typ'],
    ['a member twice', compactOf(headOf(alice), b64('{"a":1,"a":2}')), 'json.refused'],
  ])('verifies %s, which is refused here', async (_why, jws, code) => {
    expect(await joseTakes(jws, alice)).toBe(true);
    expect(await codeOf(() => openCompact(jws, EXPECTED))).toBe(code);
  });
});
