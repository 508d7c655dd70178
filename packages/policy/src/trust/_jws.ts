/** For tests: JWS made by hand, however wrong; only the signatures are honest. */
import { sign } from 'node:crypto';
import { keyNamed } from './_world.ts';
import type { ObjectType } from './envelope.ts';
import type { KeyPair } from './keys.ts';

/** Alice and Bob have the role; Mallory has a key and no role. */
export const [alice, bob, mallory] = [keyNamed('alice'), keyNamed('bob'), keyNamed('mallory')];
export const TYP: ObjectType = 'cordon-session+jws';
export const EXPECTED = { typ: TYP, keys: new Map([alice, bob].map(({ kid, jwk }) => [kid, jwk])), maxBytes: 16_384 };

export const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
export const PAYLOAD = b64('{"a":1}');
export const headOf = ({ kid }: KeyPair, change: object = {}): string => b64(JSON.stringify({ alg: 'Ed25519', kid, typ: TYP, ...change }));

const signatureOf = (head: string, payload: string, { privateKey }: KeyPair): string =>
  b64(sign(null, Buffer.from(`${head}.${payload}`), privateKey));

export const compactOf = (head: string, payload: string, by: KeyPair = alice): string =>
  `${head}.${payload}.${signatureOf(head, payload, by)}`;

export interface Entry {
  readonly protected: string;
  readonly signature: string;
}
export const entryOf = (head: string, payload: string, by: KeyPair): Entry => ({
  protected: head,
  signature: signatureOf(head, payload, by),
});
