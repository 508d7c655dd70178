/**
 * Signed objects: JWS (RFC 7515), compact or general, `Ed25519` (RFC 9864) only, and of those the strictest form: size, alphabet, canonical base64url and the exact
 * header are checked before a signature is. What is signed here any JOSE library verifies (envelope-jose.test.ts); what others sign is held to this form.
 */
import { sign as signWith, type KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { isSignedBy, type AdmittedKey } from './keys.ts';
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
  | 'cordon-run-token+jwt'
  | 'cordon-package+jws';

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
  const bytes = Buffer.from(part, 'base64url');
  // Whatever is not of the alphabet, or could be written another way, does not come out as it went in.
  if (part === '' || bytes.toString('base64url') !== part) refuse('jws.encoding', `the ${what} is not canonical base64url without padding`);
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

/** The payload of a JWS that was read, and its exact text: strict JSON, whether or not anything is verified. */
export const readPayload = (part: string, maxBytes: number): { payload: unknown; payloadText: string } => {
  const bytes = decode(part, 'payload');
  return { payload: parseStrictJson(bytes, { maxBytes, maxDepth: 32 }), payloadText: bytes.toString('utf8') };
};

/** RFC 7515 §5.2: the signature is of `protected.payload`, exactly as they came. */
const demandSignature = (key: AdmittedKey, kid: string, header: string, body: string, signature: Uint8Array): void => {
  if (!isSignedBy(key, Buffer.from(`${header}.${body}`), signature)) refuse('jws.signature', `the signature of ${kid} does not verify`);
};

/** 64 bytes (RFC 8032 §5.1.6). */
const readSignature = (part: string): Buffer => {
  const signature = decode(part, 'signature');
  if (signature.length !== 64) refuse('jws.encoding', 'a signature has 64 bytes');
  return signature;
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
  const bytes = readSignature(signature);
  const key = expected.keys.get(kid) ?? refuse('jws.key', `no key ${kid} has this role`);
  demandSignature(key, kid, header, body, bytes);
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

/** The parts of a general JWS, strictly: payload, and 1 to 16 signatures with protected and signature; no unprotected header, nothing else. Nothing is verified. */
export const readGeneral = (text: string, maxBytes: number): Static<typeof GeneralJws> => {
  const value = parseStrictJson(text, { maxBytes, maxDepth: 4 });
  return General.Check(value)
    ? value
    : refuse('jws.encoding', 'expected payload and 1 to 16 signatures, each with protected and signature');
};

/** The payload of a general JWS before anything is verified: only to learn which keys it names. */
export const peekGeneral = (text: string, maxBytes: number): unknown => readPayload(readGeneral(text, maxBytes).payload, maxBytes).payload;

/**
 * The distinct keys (of `keys`) whose signature over the payload verified, counted by key and not by signature.
 * A signature by a key outside `keys` proves nothing and is passed over; a bad signature by a key inside it refuses the whole.
 * @throws CordonError `jws.encoding|header|alg|typ|signature`, `json.*`
 */
export const signersOf = (
  { payload, signatures }: Static<typeof GeneralJws>,
  typ: ObjectType,
  keys: ReadonlyMap<string, AdmittedKey>,
): ReadonlySet<string> => {
  const read = signatures.map(({ protected: header, signature }) => ({
    ...readHeader(header, typ),
    header,
    signature: readSignature(signature),
  }));
  const kids = new Set<string>();
  for (const { kid, header, signature } of read) {
    const key = keys.get(kid);
    if (key === undefined) continue;
    demandSignature(key, kid, header, payload, signature);
    kids.add(kid);
  }
  return kids;
};

/**
 * Opens a general JWS. @returns the payload and the distinct keys (of `keys`) whose signature over it verified (`signersOf`)
 * @throws CordonError `jws.encoding|header|alg|typ|signature`, `json.refused|too-large`
 */
export const openGeneral = async (
  text: string,
  { typ, keys, maxBytes }: { readonly typ: ObjectType; readonly keys: ReadonlyMap<string, AdmittedKey>; readonly maxBytes: number },
): Promise<Omit<Opened, 'kid'> & { readonly kids: ReadonlySet<string> }> => {
  const jws = readGeneral(text, maxBytes);
  return { kids: signersOf(jws, typ, keys), ...readPayload(jws.payload, maxBytes) };
};
