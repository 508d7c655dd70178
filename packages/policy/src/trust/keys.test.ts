import fc from 'fast-check';
import { createPublicKey, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { codeOf } from './_refusal.ts';
import { checkPublicKey, keyPairFromSeed, thumbprint } from './keys.ts';

const FIELD = 2n ** 255n - 19n;
/** An encoding as RFC 8032 §5.1.2 writes it: y little-endian, the sign of x in the last bit. */
const encode = (y: bigint, sign = 0): string => {
  const bytes = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse();
  bytes[31] = (bytes[31] ?? 0) | (sign << 7);
  return bytes.toString('base64url');
};
const jwk = (x: unknown): object => ({ kty: 'OKP', crv: 'Ed25519', x });
const messageOf = (key: unknown): string => {
  try {
    checkPublicKey(key);
    return 'accepted';
  } catch (error) {
    return String(error);
  }
};
/** Where what must be a square is a small odd number with 30, 31, 60 and 95 zero bits after it; every second is none. */
const MANY_ZEROS = [
  28298205873157343825957363243742113262856180420691398433063830892854894658392n,
  354899287363379416912970714585675030115402682541454980501825899674373687064n,
  9202523449961212043056180973910551842704285958739271856612034703725462698927n,
  9328291280743196211771156364406531439826636868358103945912369706209847340258n,
  13324952615656767984182730155451802669883250462657138882482266632700154875948n,
  14337529961953714624330743980898703184571624290168709100655156547171837479450n,
  9593465105724894619553788171001753900287338609803881104004449495373353444197n,
  15170335862482440354989020964334096150834278894489696377718782358767746459900n,
];
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** A JWK of a public key, as Node reads it. */
const nodeAccepts = (x: string): boolean => {
  try {
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return true;
  } catch {
    return false; // Node does not take it as a key
  }
};

describe('a public key', () => {
  it('is admitted when a seed gives it', () => {
    fc.assert(
      fc.property(seed, (bytes) => {
        const pair = keyPairFromSeed(bytes);
        expect(checkPublicKey(pair.jwk)).toEqual(pair.jwk);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  const eighth = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
  it.each<readonly [order: string, y: bigint]>([
    ['1', 1n],
    ['2', FIELD - 1n],
    ['4', 0n],
    ['8', eighth],
    ['8', FIELD - eighth],
  ])('of small order (%s: %s) is refused with either sign', (_order, y) => {
    for (const sign of [0, 1]) expect(messageOf(jwk(encode(y, sign)))).toMatch(/small order/);
  });

  it.each([0n, 1n, 2n, 3n, 18n])('that is encoded as p + %s is refused: it is not canonical', (k) => {
    for (const sign of [0, 1]) expect(messageOf(jwk(encode(FIELD + k, sign)))).toMatch(/not canonical/);
  });

  it('is refused when no point of the curve has its y, for about half of all y', () => {
    const ys = Array.from({ length: 64 }, (_, i) => BigInt(i + 2));
    const off = ys.filter((y) => /not a point/.test(messageOf(jwk(encode(y)))));
    expect(off.length).toBeGreaterThan(16);
    expect(off.length).toBeLessThan(48);
    // RFC 8032 §5.1.3: y = 2 has no x; y = 3 has.
    expect(off.includes(2n)).toBe(true);
    expect(messageOf(jwk(encode(3n)))).toBe('accepted');
  });

  it('is on the curve exactly when the square root of RFC 8032 §5.1.3 exists', () => {
    const power = (base: bigint, exponent: bigint): bigint => {
      let result = 1n;
      for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % FIELD) if (e & 1n) result = (result * b) % FIELD;
      return result;
    };
    const d = ((FIELD - 121665n) * power(121666n, FIELD - 2n)) % FIELD;
    const hasRoot = (y: bigint): boolean => {
      const [u, v] = [(y * y - 1n + FIELD) % FIELD, (d * y * y + 1n) % FIELD];
      const x = (u * power(v, 3n) * power(u * power(v, 7n), (FIELD - 5n) / 8n)) % FIELD;
      return [u, (FIELD - u) % FIELD].includes((v * x * x) % FIELD);
    };
    fc.assert(
      fc.property(fc.bigInt({ min: 2n, max: FIELD - 2n }), (y) => {
        expect(/^accepted$|small order/.test(messageOf(jwk(encode(y))))).toBe(hasRoot(y));
      }),
      { numRuns: LAW_RUNS, examples: MANY_ZEROS.map((y) => [y]) },
    );
  });

  it('needs this check, because Node takes such keys', () => {
    expect([encode(1n), encode(0n), encode(FIELD + 1n), encode(2n)].map(nodeAccepts)).toEqual([true, true, true, true]);
  });

  const good = keyPairFromSeed(Buffer.alloc(32, 7)).jwk;
  const last = good.x.at(-1) ?? '';
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  it.each<readonly [why: string, key: unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'key'],
    ['an array', [good]],
    ['another type', { ...good, kty: 'EC' }],
    ['another curve', { ...good, crv: 'X25519' }],
    ['a curve in capitals', { ...good, crv: 'ED25519' }],
    ['a missing type', { crv: good.crv, x: good.x }],
    ['a missing x', { kty: good.kty, crv: good.crv }],
    ['x as a number', jwk(7)],
    ['x as bytes', jwk([1, 2, 3])],
    ['an empty x', jwk('')],
    ['31 bytes', jwk(Buffer.alloc(31, 7).toString('base64url'))],
    ['33 bytes', jwk(Buffer.from([...Buffer.from(good.x, 'base64url'), 0]).toString('base64url'))],
    ['64 bytes', jwk(Buffer.alloc(64, 7).toString('base64url'))],
    ['padding', jwk(`${good.x}=`)],
    ['white space', jwk(` ${good.x}`)],
    ['a newline', jwk(`${good.x}\n`)],
    ['the other base64 alphabet', jwk(Buffer.alloc(32, 0xfb).toString('base64').slice(0, 43))],
    ['set bits after the last byte', jwk(good.x.slice(0, -1) + (alphabet[alphabet.indexOf(last) + 1] ?? ''))],
    ['a private part', { ...good, d: Buffer.alloc(32, 7).toString('base64url') }],
    ['a kid', { ...good, kid: 'mine' }],
    ['an algorithm', { ...good, alg: 'Ed25519' }],
    ['an empty extra member', { ...good, '': '' }],
  ])('is refused with %s', async (_why, key) => {
    expect(await codeOf(() => checkPublicKey(key))).toBe('key.refused');
  });

  it('of any 32 bytes is admitted or refused, and what is admitted has that one encoding', () => {
    fc.assert(
      fc.property(seed, (bytes) => {
        const x = Buffer.from(bytes).toString('base64url');
        const message = messageOf(jwk(x));
        expect(message).toMatch(/^accepted$|not canonical|small order|not a point/);
        if (message === 'accepted') expect(checkPublicKey(jwk(x))).toEqual(jwk(x));
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('a key pair of a seed', () => {
  // RFC 8032 §7.1, tests 1 to 3
  it.each<readonly [seed: string, publicKey: string, message: string, signature: string]>([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ])('is that of RFC 8032 for %s', (secret, publicKey, message, signature) => {
    const { jwk: key, privateKey } = keyPairFromSeed(Buffer.from(secret, 'hex'));
    expect(Buffer.from(key.x, 'base64url').toString('hex')).toBe(publicKey);
    expect(sign(null, Buffer.from(message, 'hex'), privateKey).toString('hex')).toBe(signature);
    expect(verify(null, Buffer.from(message, 'hex'), createPublicKey(privateKey), Buffer.from(signature, 'hex'))).toBe(true);
  });

  it('is known by its thumbprint (RFC 8037 A.3)', () => {
    const { jwk: key, kid } = keyPairFromSeed(Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url'));
    expect(key).toEqual({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' });
    expect(kid).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(thumbprint(key)).toBe(kid);
  });

  it.each([0, 31, 33, 64])('is refused for a seed of %s bytes', async (length) => {
    expect(await codeOf(() => keyPairFromSeed(Buffer.alloc(length)))).toBe('key.refused');
  });

  it('has a private half that does not come along when the pair is written as JSON', () => {
    const secret = Buffer.alloc(32, 9);
    expect(JSON.stringify(keyPairFromSeed(secret))).not.toContain(secret.toString('base64url'));
    expect(Object.keys(keyPairFromSeed(secret).jwk)).toEqual(['kty', 'crv', 'x']);
  });
});
