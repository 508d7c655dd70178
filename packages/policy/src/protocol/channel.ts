/** Frames of the WebSocket channel `cordon.v1`: text, one JSON object each. Identity is the session's, never a field here. */
import { Type, type Static } from 'typebox';
import { DeviceFacts, HexDigest } from './enrollment.ts';
import { TelemetryEvent } from './events.ts';
import { Integrity, OrderFrame, OrderReply } from './orders.ts';
import { FindingFrame, HistoryFrame, HistoryRequest } from './history.ts';
import { TokenReply, TokenRequest } from './run-tokens.ts';
import { RequestFrame, RequestReply } from './exception-requests.ts';
import { InventoryFrame } from './inventory.ts';

const closed = { additionalProperties: false } as const;
const Jws = (max: number) => Type.String({ maxLength: max });
const Serial = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Proof = Type.Array(HexDigest, { maxItems: 64 });
/** Cosignatures of the frame's checkpoint (trust/witness.ts), where the root demands witnesses. */
const Witness = Type.Optional(Type.Array(Jws(2048), { maxItems: 16 }));

/** Limits on a frame, in bytes. */
export const MAX_FRAME_UP = 262_144;
export const MAX_FRAME_DOWN = 2_097_152;

/** Leaf of the cohorts tree: hashed at `index`. */
export const CohortLeaf = Type.Object(
  { org: Type.String({ maxLength: 64 }), index: Serial, cohort: Type.String({ maxLength: 64 }), serial: Serial, digest: HexDigest },
  closed,
);
export type CohortLeaf = Static<typeof CohortLeaf>;

/** Leaf of the members tree: hashed at `index`, which the device knows from its enrollment. */
export const MemberLeaf = Type.Object(
  {
    org: Type.String({ maxLength: 64 }),
    index: Serial,
    device: Type.String({ maxLength: 64 }),
    cohort: Type.String({ maxLength: 64 }),
    cohortIndex: Serial,
  },
  closed,
);
export type MemberLeaf = Static<typeof MemberLeaf>;

// ---- server to device -------------------------------------------------------------------------------------------

export const Welcome = Type.Object(
  {
    type: Type.Literal('welcome'),
    session: Type.String({ maxLength: 64 }),
    nonce: Type.String({ maxLength: 64 }),
    time: Type.String({ maxLength: 32 }),
    heartbeatSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
  },
  closed,
);

/** A new state of a cohort: the same bytes for all its members. `bundle` is null when only the checkpoint is newer. */
export const StateFrame = Type.Object(
  {
    type: Type.Literal('state'),
    checkpoint: Jws(8192),
    cohort: Type.Object({ leaf: CohortLeaf, proof: Proof }, closed),
    manifest: Jws(65_536),
    /** The exact bytes (UTF-8) that the manifest's SHA-256 covers. */
    bundle: Type.Union([Type.String({ maxLength: MAX_FRAME_DOWN }), Type.Null()]),
    witness: Witness,
  },
  closed,
);
export type StateFrame = Static<typeof StateFrame>;

/** This device's membership under a checkpoint: with each renewal and when its cohort changed. */
export const MembershipFrame = Type.Object(
  {
    type: Type.Literal('membership'),
    checkpoint: Jws(8192),
    member: Type.Object({ leaf: MemberLeaf, proof: Proof }, closed),
    witness: Witness,
  },
  closed,
);
export type MembershipFrame = Static<typeof MembershipFrame>;

/** Roots that follow those which the device holds, and the newest floor: sent before anything that only they can verify. */
export const RootsFrame = Type.Object(
  {
    type: Type.Literal('roots'),
    /** How many roots the device said it holds; those here come after them. */
    after: Serial,
    roots: Type.Array(Type.String({ maxLength: 65_536 }), { maxItems: 255 }),
    floor: Type.String({ maxLength: 262_144 }),
  },
  closed,
);
export type RootsFrame = Static<typeof RootsFrame>;

/** All up to `seq` is committed. */
export const TelemetryAck = Type.Object({ type: Type.Literal('telemetry.ack'), boot: Type.String({ maxLength: 64 }), seq: Serial }, closed);
/** The signed head of a chain is stored; it is verified later. */
export const HeadAck = Type.Object({ type: Type.Literal('head.ack'), boot: Type.String({ maxLength: 64 }), signed: Serial }, closed);
export const Problem = Type.Object(
  { type: Type.Literal('problem'), code: Type.String({ maxLength: 64 }), detail: Type.String({ maxLength: 512 }) },
  closed,
);

export const DownFrame = Type.Union([
  Welcome,
  RootsFrame,
  StateFrame,
  MembershipFrame,
  OrderFrame,
  HistoryFrame,
  TelemetryAck,
  HeadAck,
  RequestReply,
  TokenReply,
  Problem,
]);
export type DownFrame = Static<typeof DownFrame>;

// ---- device to server -------------------------------------------------------------------------------------------

export const Enforcing = Type.Object({ epoch: Serial, serial: Serial, digest: HexDigest, cohort: Type.String({ maxLength: 64 }) }, closed);

export const Hello = Type.Object(
  {
    type: Type.Literal('hello'),
    protocol: Type.Integer({ minimum: 1, maximum: 1000 }),
    boot: Type.String({ maxLength: 64 }),
    agentVersion: Type.String({ maxLength: 32 }),
    enforcing: Type.Union([Enforcing, Type.Null()]),
    /** How many roots it holds, and the SHA-256 of its floor's text. Absent: those that it enrolled with are all that it can use. */
    trust: Type.Optional(Type.Object({ roots: Serial, floor: HexDigest }, closed)),
    /** Highest checkpoint seen, its payload's SHA-256: a fork shows here. */
    checkpoint: Type.Union([Type.Object({ epoch: Serial, serial: Serial, digest: HexDigest }, closed), Type.Null()]),
    integrity: Type.Optional(Integrity),
    /** What the device says of itself now; only what changed is written. */
    facts: Type.Optional(DeviceFacts),
  },
  closed,
);

export const SelfTest = Type.Object(
  {
    at: Type.String({ maxLength: 32 }),
    digest: HexDigest,
    passed: Type.Boolean(),
    checks: Type.Array(
      Type.Object({ name: Type.String({ maxLength: 64 }), passed: Type.Boolean(), detail: Type.String({ maxLength: 256 }) }, closed),
      { maxItems: 32 },
    ),
  },
  closed,
);
export type SelfTest = Static<typeof SelfTest>;

/** enforced: received, verified, persisted and in force. failed: the old one stays; `code` says why. */
export const Ack = Type.Object(
  {
    type: Type.Literal('ack'),
    epoch: Serial,
    serial: Serial,
    digest: HexDigest,
    phase: Type.Union([Type.Literal('enforced'), Type.Literal('failed')]),
    code: Type.Optional(Type.String({ maxLength: 64 })),
  },
  closed,
);
export type Ack = Static<typeof Ack>;

export const SelfTestFrame = Type.Object({ type: Type.Literal('selftest'), result: SelfTest }, closed);

const Boot = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' });

/** Events seqFrom..seqTo of this boot; `prev` is the hash of the batch before (64 zeros for the first). */
export const TelemetryFrame = Type.Object(
  {
    type: Type.Literal('telemetry'),
    boot: Boot,
    seqFrom: Serial,
    seqTo: Serial,
    prev: HexDigest,
    hash: HexDigest,
    events: Type.Array(TelemetryEvent, { minItems: 1, maxItems: 500 }),
  },
  closed,
);
export type TelemetryFrame = Static<typeof TelemetryFrame>;

/** The device's signature over the head of a chain (trust/device-head.ts); what stands beside it is to find it by, and is verified against it. */
export const HeadFrame = Type.Object(
  {
    type: Type.Literal('head'),
    boot: Boot,
    seq: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    hash: HexDigest,
    head: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,2048}$' }),
  },
  closed,
);
export type HeadFrame = Static<typeof HeadFrame>;

export const UpFrame = Type.Union([
  Hello,
  Ack,
  SelfTestFrame,
  OrderReply,
  HistoryRequest,
  FindingFrame,
  InventoryFrame,
  RequestFrame,
  TokenRequest,
  TelemetryFrame,
  HeadFrame,
]);
export type UpFrame = Static<typeof UpFrame>;

/** Close codes that say what to do; none of them loosens anything. */
export const CLOSE = {
  revoked: 4401,
  replaced: 4409,
  rate: 4429,
  malformed: 4400,
  restart: 1012,
} as const;
