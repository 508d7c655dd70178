/** Ed25519 keys as JWK (RFC 8037): strict admission, thumbprints (RFC 7638), signatures, and key pairs from a seed. */
import { createPrivateKey, createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { DeviceJwk } from '../protocol/enrollment.ts';
import { CordonError } from '../errors.ts';
import { sha256Base64Url } from './digest.ts';

const FIELD = 2n ** 255n - 19n;
/** y coordinates of the eight points of order 1, 2, 4 and 8: every key with such a point lets one signature verify for many messages. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  FIELD - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

declare const admitted: unique symbol;
/** A public key that `checkPublicKey` has let in; nothing else makes one, so who verifies with it need not look again. */
export type AdmittedKey = DeviceJwk & { readonly [admitted]: true };

/** How many lower bits of a number are looked at at once. */
const WINDOW = 30;
const lowBits = (number: bigint): number => Number(BigInt.asUintN(WINDOW, number));
/** How many zeros stand before the lowest bit that is set. */
const zerosOf = (bits: number): number => 31 - Math.clz32(bits & -bits);

/**
 * Whether a number is a square of the field, and not 0: its Jacobi symbol is 1, found by quadratic reciprocity (several times faster than a power). What the sign
 * hangs on are the last three bits of both numbers, which are at hand as small ones.
 */
const isSquare = (number: bigint): boolean => {
  let [a, n] = [number % FIELD, FIELD];
  let nLow = lowBits(n);
  let minus = 0;
  while (a !== 0n) {
    let low = lowBits(a);
    const zeros = zerosOf(low | (1 << WINDOW));
    if (zeros > 0) {
      a >>= BigInt(zeros);
      // (2/n) is -1 when n is 3 or 5 modulo 8
      minus ^= zeros & ((nLow >> 1) ^ (nLow >> 2)) & 1;
      low = lowBits(a);
      if ((low & 1) === 0) continue;
    }
    // (a/n) and (n/a) differ when both are 3 modulo 4
    minus ^= (low & nLow & 2) >> 1;
    [a, n, nLow] = [n % a, a, low];
  }
  return n === 1n && minus === 0;
};

/** Whether y is the coordinate of a point: x² = (y² - 1) / (d·y² + 1) must be a square (RFC 8032 §5.1.3), and u / v is one exactly when u·v is. */
const isOnCurve = (y: bigint): boolean => {
  const y2 = (y * y) % FIELD;
  return isSquare((y2 - 1n + FIELD) * (D * y2 + 1n));
};

/**
 * Admits a public key: exactly kty, crv and x; a canonical encoding of a point that is on the curve and not of small order. Node accepts more.
 * @throws CordonError `key.refused`
 */
export const checkPublicKey = (jwk: unknown): AdmittedKey => {
  const refuse = (why: string): never => {
    throw new CordonError('key.refused', `the public key is not acceptable: ${why}`);
  };
  if (typeof jwk !== 'object' || jwk === null) return refuse('not a JWK');
  const { kty, crv, x, ...others } = jwk as Record<string, unknown>;
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') return refuse('expected kty OKP, crv Ed25519 and x');
  if (Object.keys(others).length > 0) return refuse('it has other members than kty, crv and x');
  const bytes = Buffer.from(x, 'base64url');
  if (bytes.length !== 32 || bytes.toString('base64url') !== x) return refuse('x is not 32 bytes in canonical base64url');
  const little = Buffer.from(bytes).reverse();
  little[0] = (little[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${little.toString('hex')}`);
  if (y >= FIELD) return refuse('the encoding is not canonical');
  if (SMALL_ORDER_Y.has(y)) return refuse('a point of small order');
  if (!isOnCurve(y)) return refuse('not a point of the curve');
  return { kty, crv, x } as AdmittedKey;
};

/**
 * A public key as Node takes it fastest (RFC 8410 §4): text is nothing else to it, while an object is first tried as two kinds of keys, each with an exception. What
 * stands before the 32 bytes of every Ed25519 key is twelve bytes, and so sixteen letters.
 */
const pemOf = (x: string): string =>
  `-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA${Buffer.from(x, 'base64url').toString('base64')}\n-----END PUBLIC KEY-----\n`;

/** Whether this key's Ed25519 signature (RFC 8032 §5.1.7) of these bytes it is: 64 bytes, S below the order of the group, or it is none. */
export const isSignedBy = ({ x }: AdmittedKey, bytes: Uint8Array, signature: Uint8Array): boolean =>
  verify(null, bytes, pemOf(x), signature);

/** RFC 7638 thumbprint, SHA-256, base64url: 43 characters. */
export const thumbprint = (jwk: DeviceJwk): string => sha256Base64Url(`{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"}`);

/** Public keys by thumbprint, as what verifies takes them. @throws CordonError `key.refused` */
export const admit = (...jwks: readonly unknown[]): Map<string, AdmittedKey> =>
  new Map(jwks.map(checkPublicKey).map((jwk) => [thumbprint(jwk), jwk]));

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly jwk: AdmittedKey;
  readonly kid: string;
}

/** The key pair of a 32-byte seed (RFC 8032 §5.1.5). The caller brings the randomness. */
export const keyPairFromSeed = (seed: Uint8Array): KeyPair => {
  if (seed.length !== 32) throw new CordonError('key.refused', `an Ed25519 seed has 32 bytes, not ${seed.length}`);
  // PKCS#8 prefix of RFC 8410 §7
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const jwk = checkPublicKey({ kty: 'OKP', crv: 'Ed25519', x });
  return { privateKey, jwk, kid: thumbprint(jwk) };
};
