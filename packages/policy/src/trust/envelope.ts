/**
 * Signed objects: JWS (RFC 7515), compact or general, `Ed25519` (RFC 9864) only. The only module that uses jose; before jose sees a byte, a strict
 * pre-parser has checked size, alphabet, canonical base64url and the exact header, because jose accepts more than that.
 */
import { compactVerify, generalVerify, importJWK } from 'jose';
import { sign as signWith, type KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import type { AdmittedKey } from './keys.ts';
import { parseStrictJson } from './strict-json.ts';

/** Kinds of signed objects; each has its own `typ`, so none passes as another. */
export type ObjectType =
  | 'cordon-root+jws'
  | 'cordon-floor+jws'
  | 'cordon-bundle+jws'
  | 'cordon-checkpoint+jws'
  | 'cordon-witness+jws'
  | 'cordon-maintenance+jws'
  | 'cordon-retirement+jws'
  | 'cordon-retired+jws'
  | 'cordon-approval+jws'
  | 'cordon-enroll+jws'
  | 'cordon-rekey+jws'
  | 'cordon-session+jws'
  | 'cordon-head+jws'
  | 'cordon-run+jws'
  | 'cordon-run-token+jwt';

/** What signs: a key at hand, or one that stays where it is (a token, a key service) and is only asked. */
export type Signer = { readonly kid: string } & (
  | { readonly privateKey: KeyObject }
  /** @returns the Ed25519 signature (RFC 8032) of these bytes: 64 bytes */
  | { sign(bytes: Uint8Array): Promise<Uint8Array> }
);

export interface Opened {
  readonly payload: unknown;
  /** The exact bytes that were signed, as text. */
  readonly payloadText: string;
  readonly kid: string;
}

const refuse = (code: string, message: string, cause?: unknown): never => {
  throw new CordonError(code, message, cause === undefined ? {} : { cause });
};

const decode = (part: string, what: string): Buffer => {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) refuse('jws.encoding', `the ${what} is not base64url without padding`);
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) refuse('jws.encoding', `the ${what} is not canonical base64url`);
  return bytes;
};

const closed = { additionalProperties: false } as const;
const Header = Compile(
  Type.Object({ alg: Type.String(), kid: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }), typ: Type.String() }, closed),
);

/** RFC 7515 §4: exactly alg, kid (a thumbprint) and typ, nothing that a sender could steer the check with (RFC 8725 §3). */
const readHeader = (part: string, typ: ObjectType): { kid: string } => {
  const header = parseStrictJson(decode(part, 'header'), { maxBytes: 512, maxDepth: 1 });
  if (!Header.Check(header)) return refuse('jws.header', 'the header must have exactly alg, kid (a key thumbprint) and typ');
  if (header.alg !== 'Ed25519') refuse('jws.alg', 'alg must be Ed25519');
  if (header.typ !== typ) refuse('jws.typ', `typ must be ${typ}`);
  return { kid: header.kid };
};

const readPayload = (part: string, maxBytes: number): { payload: unknown; payloadText: string } => {
  const bytes = decode(part, 'payload');
  return { payload: parseStrictJson(bytes, { maxBytes, maxDepth: 32 }), payloadText: bytes.toString('utf8') };
};

const verificationKey = async (kid: string, keys: ReadonlyMap<string, AdmittedKey>): Promise<Awaited<ReturnType<typeof importJWK>>> => {
  const jwk = keys.get(kid) ?? refuse('jws.key', `no key ${kid} has this role`);
  return importJWK({ ...jwk }, 'Ed25519');
};

/** RFC 7515 §5.1: what is signed is `protected.payload`, whoever holds the key. @throws CordonError `jws.signer` when what came back is no signature */
const signParts = async (body: string, typ: ObjectType, signer: Signer): Promise<{ protected: string; signature: string }> => {
  const header = Buffer.from(JSON.stringify({ alg: 'Ed25519', kid: signer.kid, typ })).toString('base64url');
  const input = Buffer.from(`${header}.${body}`);
  const signature = 'privateKey' in signer ? signWith(null, input, signer.privateKey) : await signer.sign(input);
  if (signature.length !== 64) refuse('jws.signer', `the key ${signer.kid} gave ${signature.length} bytes, which is no Ed25519 signature`);
  return { protected: header, signature: Buffer.from(signature).toString('base64url') };
};

const bodyOf = (payload: object): string => Buffer.from(JSON.stringify(payload)).toString('base64url');

/** Signs a JSON payload. The object's members are written as they are: what is signed is what is sent. @throws CordonError `jws.signer` */
export const signCompact = async (payload: object, typ: ObjectType, signer: Signer): Promise<string> => {
  const body = bodyOf(payload);
  const { protected: header, signature } = await signParts(body, typ, signer);
  return `${header}.${body}.${signature}`;
};

/**
 * Opens a compact JWS: size, strict encoding, exact header, key by role, signature, strict JSON.
 * @throws CordonError `jws.size|encoding|header|alg|typ|key|signature`, `json.refused|too-large`, `key.refused`
 */
export const openCompact = async (
  jws: string,
  expected: { readonly typ: ObjectType; readonly keys: ReadonlyMap<string, AdmittedKey>; readonly maxBytes: number },
): Promise<Opened> => {
  if (jws.length > expected.maxBytes) refuse('jws.size', `${jws.length} characters; at most ${expected.maxBytes} are accepted`);
  const parts = jws.split('.');
  if (parts.length !== 3) refuse('jws.encoding', 'a compact JWS has three parts');
  const [header = '', body = '', signature = ''] = parts;
  const { kid } = readHeader(header, expected.typ);
  if (decode(signature, 'signature').length !== 64) refuse('jws.encoding', 'the signature has not 64 bytes');
  const key = await verificationKey(kid, expected.keys);
  await compactVerify(jws, key, { algorithms: ['Ed25519'] }).catch((cause: unknown) =>
    refuse('jws.signature', 'the signature does not verify', cause),
  );
  return { ...readPayload(body, expected.maxBytes), kid };
};

/** Signs one payload by several keys: General JSON serialisation (RFC 7515 §7.2.1), as JSON text. @throws CordonError `jws.signer` */
export const signGeneral = async (payload: object, typ: ObjectType, signers: readonly Signer[]): Promise<string> => {
  const body = bodyOf(payload);
  const signatures: { protected: string; signature: string }[] = [];
  for (const signer of signers) signatures.push(await signParts(body, typ, signer));
  return JSON.stringify({ payload: body, signatures });
};

const GeneralJws = Type.Object(
  {
    payload: Type.String(),
    signatures: Type.Array(Type.Object({ protected: Type.String(), signature: Type.String() }, closed), { minItems: 1, maxItems: 16 }),
  },
  closed,
);
const General = Compile(GeneralJws);

/** The parts of a general JWS, strictly: payload, and 1 to 16 signatures with protected and signature; no unprotected header, nothing else. */
const readGeneral = (text: string, maxBytes: number): Static<typeof GeneralJws> => {
  const value = parseStrictJson(text, { maxBytes, maxDepth: 4 });
  return General.Check(value)
    ? value
    : refuse('jws.encoding', 'expected payload and 1 to 16 signatures, each with protected and signature');
};

/** The payload of a general JWS before anything is verified: only to learn which keys it names. */
export const peekGeneral = (text: string, maxBytes: number): unknown => readPayload(readGeneral(text, maxBytes).payload, maxBytes).payload;

/**
 * Opens a general JWS. @returns the payload and the distinct keys (of `keys`) whose signature over it verified, counted by key and not by signature.
 * A signature by a key outside `keys` proves nothing and is passed over; a bad signature by a key inside it refuses the whole.
 * @throws CordonError `jws.encoding|header|alg|typ|signature`, `json.refused|too-large`, `key.refused`
 */
export const openGeneral = async (
  text: string,
  expected: { readonly typ: ObjectType; readonly keys: ReadonlyMap<string, AdmittedKey>; readonly maxBytes: number },
): Promise<Omit<Opened, 'kid'> & { readonly kids: ReadonlySet<string> }> => {
  const jws = readGeneral(text, expected.maxBytes);
  const known = jws.signatures.flatMap(({ protected: header, signature }) => {
    const { kid } = readHeader(header, expected.typ);
    if (decode(signature, 'signature').length !== 64) refuse('jws.encoding', 'a signature has not 64 bytes');
    return expected.keys.has(kid) ? [{ kid, signature, header }] : [];
  });
  // All at once: each is verified on a thread of its own.
  const verified = known.map(async ({ kid, signature, header }) => {
    const key = await verificationKey(kid, expected.keys);
    await generalVerify({ payload: jws.payload, signatures: [{ protected: header, signature }] }, key, { algorithms: ['Ed25519'] }).catch(
      (cause: unknown) => refuse('jws.signature', `the signature of ${kid} does not verify`, cause),
    );
    return kid;
  });
  return { kids: new Set(await Promise.all(verified)), ...readPayload(jws.payload, expected.maxBytes) };
};
