/** Enrollment and session messages over HTTP (design §6). Every object is closed: unknown members are refused. */
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
export const Base64Url = (max: number) => Type.String({ pattern: '^[A-Za-z0-9_-]+$', minLength: 1, maxLength: max });
export const Id = Type.String({ pattern: '^[a-z]{1,8}_[A-Za-z0-9_-]{16,43}$' });
export const HexDigest = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** Public device key: Ed25519 as OKP (RFC 8037). */
export const DeviceJwk = Type.Object(
  { kty: Type.Literal('OKP'), crv: Type.Literal('Ed25519'), x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }) },
  closed,
);
export type DeviceJwk = Static<typeof DeviceJwk>;

export const DeviceFacts = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    os: Type.Union([Type.Literal('linux'), Type.Literal('macos'), Type.Literal('windows')]),
    osVersion: Type.String({ maxLength: 128 }),
    arch: Type.String({ maxLength: 32 }),
    agentVersion: Type.String({ maxLength: 32 }),
    /** system: installed and run by the machine's administrator; user: everything belongs to the user. */
    assurance: Type.Union([Type.Literal('system'), Type.Literal('user')]),
    language: Type.Literal('cordon/v1'),
  },
  closed,
);
export type DeviceFacts = Static<typeof DeviceFacts>;

/** GET /agent/v1/root: what a device compares with the fingerprint in its token before it sends anything. */
export const RootReply = Type.Object(
  {
    org: Type.String({ maxLength: 64 }),
    roots: Type.Array(Type.String({ maxLength: 65_536 }), { minItems: 1, maxItems: 256 }),
    floor: Type.String({ maxLength: 262_144 }),
  },
  closed,
);
export type RootReply = Static<typeof RootReply>;

export const EnrollChallengeRequest = Type.Object({ token: Id, jwk: DeviceJwk }, closed);
export const ChallengeReply = Type.Object({ nonce: Base64Url(64), expiresAt: Type.String({ maxLength: 32 }) }, closed);

/**
 * POST /agent/v1/enroll. `statement` is a General JSON JWS (RFC 7515 §7.2.1) with exactly two signatures, first by the token's key,
 * then by the device's, both with header {alg, kid, typ: cordon-enroll+jws}, over {org, nonce, token, jkt, facts}.
 */
export const EnrollRequest = Type.Object({ jwk: DeviceJwk, statement: Type.String({ maxLength: 16_384 }) }, closed);
export const EnrollReply = Type.Object(
  {
    device: Id,
    memberIndex: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    org: Type.String({ maxLength: 64 }),
    /** It has an id and a key, and waits for an administrator: until then it has no place, and so no policy. */
    pending: Type.Optional(Type.Literal(true)),
  },
  closed,
);
export type EnrollReply = Static<typeof EnrollReply>;

/**
 * POST /agent/v1/rekey: the device's next key. `statement` is a General JSON JWS with exactly two signatures, by the key before and by the new one, both with
 * header {alg, kid, typ: cordon-rekey+jws}, over a RekeyStatement. Asked again with the same two keys, it gives the same answer.
 */
export const RekeyStatement = Type.Object(
  { org: Type.String({ maxLength: 64 }), device: Id, nonce: Base64Url(64), from: Base64Url(43), to: Base64Url(43) },
  closed,
);
export const RekeyRequest = Type.Object(
  { device: Id, from: DeviceJwk, to: DeviceJwk, statement: Type.String({ maxLength: 8192 }) },
  closed,
);
export const RekeyReply = Type.Object({ device: Id, key: Base64Url(43) }, closed);

export const SessionChallengeRequest = Type.Object({ device: Id }, closed);

const Mark = Base64Url(22);
/**
 * The place of a session in the line of a device's sessions, kept on disk before it is sent: `count` grows with each attempt; `last` is the random mark of
 * the last session that was confirmed, `next` that of the one which is asked for, the same until it is confirmed.
 */
export const Join = Type.Object({ count: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), last: Mark, next: Mark }, closed);
export type Join = Static<typeof Join>;

/** What a device signs to open a session. */
export const SessionStatement = Type.Object({ org: Type.String({ maxLength: 64 }), device: Id, nonce: Base64Url(64), join: Join }, closed);
/** POST /agent/v1/session: compact JWS, typ cordon-session+jws, by the device key over a SessionStatement. */
export const SessionRequest = Type.Object({ device: Id, proof: Type.String({ maxLength: 4096 }) }, closed);
export const SessionReply = Type.Union([
  Type.Object({ ticket: Base64Url(512), expiresAt: Type.String({ maxLength: 32 }) }, closed),
  /** A session with this number was opened before: ask for a challenge again, and sign with a higher one. */
  Type.Object({ behind: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }) }, closed),
]);
