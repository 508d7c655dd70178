/** The checkpoint: one short-lived signed statement that binds bundles to devices and stops rollback, freezing and two histories. */
import { Type, type Static } from 'typebox';
import type { CohortLeaf, MemberLeaf } from '../protocol/channel.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { canonicalJson } from './canonical-json.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Tree = Type.Object({ size: Count, root: HexDigest }, closed);

/**
 * Payload of `cordon-checkpoint+jws`. `number` counts the checkpoints of an epoch from 0; a serial can have several (renewals, enrollments). `previous` is the
 * SHA-256 of the predecessor's payload and `skip` that of one further back (history.ts); both are null for the first of an epoch.
 */
export const CheckpointPayload = Type.Object(
  {
    format: Type.Literal('cordon-checkpoint/1'),
    org: Type.String({ maxLength: 64 }),
    epoch: Count,
    serial: Count,
    number: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
    issuedAt: Time,
    expiresAt: Time,
    audit: Type.Object({ seq: Count, head: HexDigest }, closed),
    members: Tree,
    cohorts: Tree,
    previous: Type.Union([HexDigest, Type.Null()]),
    skip: Type.Union([HexDigest, Type.Null()]),
    /** Digest of what people had approved when it was signed (`standingDigest`): another signer with the same keys can go on from it. */
    standing: Type.Optional(HexDigest),
  },
  closed,
);
export type CheckpointPayload = Static<typeof CheckpointPayload>;

/** How long a checkpoint may be the newest one before the device calls its state stale, and then expired: no new runs. */
export const CHECKPOINT_LIFETIME_MS = 15 * 60_000;
export const EXPIRED_AFTER_MS = 24 * 3_600_000;

export const memberLeafBytes = (leaf: MemberLeaf): Buffer => Buffer.from(canonicalJson(leaf));
export const cohortLeafBytes = (leaf: CohortLeaf): Buffer => Buffer.from(canonicalJson(leaf));
