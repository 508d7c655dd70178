/**
 * A state frame for compressed sessions. Base64 hides text from compression, and hashes in hex are long: here signed payloads stand as they are but for their hashes, a proof is one string, and
 * what the device knows or can compute is left out. Unpacking gives back the very frame; nothing is believed for having been packed.
 */
import { Type, type Static } from 'typebox';
import { sha256Hex } from '../trust/digest.ts';
import { MAX_FRAME_DOWN, StateFrame } from './channel.ts';
import { HexDigest } from './enrollment.ts';

const closed = { additionalProperties: false } as const;
/** `kid`, payload and signature of a compact JWS whose header has the three members that all of ours have. */
const Jws = (max: number) => Type.Tuple([Type.String({ maxLength: 64 }), Type.String({ maxLength: max }), Type.String({ maxLength: 128 })]);
const Serial = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const PackedState = Type.Object(
  {
    type: Type.Literal('state.packed'),
    checkpoint: Jws(8192),
    /** Without organisation, which the device knows. `digest` only where there is no bundle to hash. */
    leaf: Type.Object({ index: Serial, cohort: Type.String({ maxLength: 64 }), serial: Serial, digest: Type.Optional(HexDigest) }, closed),
    /** All hashes, 32 bytes each, in base64url. */
    proof: Type.String({ maxLength: 64 * 43 }),
    manifest: Jws(65_536),
    bundle: Type.Union([Type.String({ maxLength: MAX_FRAME_DOWN }), Type.Null()]),
    witness: StateFrame.properties.witness,
  },
  closed,
);
export type PackedState = Static<typeof PackedState>;

type Typ = 'cordon-checkpoint+jws' | 'cordon-bundle+jws';
type Parts = PackedState['manifest'];

const hexToBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
const base64ToHex = (text: string): string => Buffer.from(text, 'base64url').toString('hex');

/** Hashes in a payload are hex; two thirds of that say as much. No other string in a manifest or checkpoint begins with `~`: ids are of our own making. */
const shorten = (payload: string): string => payload.replaceAll(/"([0-9a-f]{64})"/g, (_, hex: string) => `"~${hexToBase64(hex)}"`);
const lengthen = (text: string): string => text.replaceAll(/"~([\w-]{43})"/g, (_, short: string) => `"${base64ToHex(short)}"`);

const encode = (text: string): string => Buffer.from(text).toString('base64url');
const joinJws = ([kid, payload, signature]: Parts, typ: Typ): string =>
  `${encode(JSON.stringify({ alg: 'Ed25519', kid, typ }))}.${encode(lengthen(payload))}.${signature}`;

const splitJws = (jws: string): Parts => {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
  return [kid, shorten(Buffer.from(payload, 'base64url').toString()), signature];
};

const joinProof = (proof: readonly string[]): string => hexToBase64(proof.join(''));
const splitProof = (text: string): string[] => base64ToHex(text).match(/.{1,64}/g) ?? [];

/** @param frame of our own making */
export const packState = ({ checkpoint, cohort, manifest, bundle, witness }: StateFrame): PackedState => {
  const { index, cohort: id, serial, digest } = cohort.leaf;
  return {
    type: 'state.packed',
    checkpoint: splitJws(checkpoint),
    leaf: { index, cohort: id, serial, ...(bundle === null && { digest }) },
    proof: joinProof(cohort.proof),
    manifest: splitJws(manifest),
    bundle,
    ...(witness !== undefined && { witness }),
  };
};

/** @param org the device's own. @returns the frame; whether it holds is for the verification to say */
export const unpackState = ({ checkpoint, leaf, proof, manifest, bundle, witness }: PackedState, org: string): StateFrame => {
  const { index, cohort, serial, digest = bundle === null ? '' : sha256Hex(bundle) } = leaf;
  return {
    type: 'state',
    checkpoint: joinJws(checkpoint, 'cordon-checkpoint+jws'),
    cohort: { leaf: { org, index, cohort, serial, digest }, proof: splitProof(proof) },
    manifest: joinJws(manifest, 'cordon-bundle+jws'),
    bundle,
    ...(witness !== undefined && { witness }),
  };
};
