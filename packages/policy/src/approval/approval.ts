/**
 * What people approve: not bytes of bundles but what decides them. An approval leads from one approved target to the next, is signed with approvers'
 * own keys, and is used once. Shapes only; `covers.ts` judges, the signer keeps.
 */
import { Type, type Static } from 'typebox';
import { exceptionTerms } from '../document/exception.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import { Time } from '../protocol/time.ts';
import { sha256Hex } from '../trust/digest.ts';
import { canonicalJson } from '../trust/canonical-json.ts';

const closed = { additionalProperties: false } as const;
const Id = Type.String({ minLength: 1, maxLength: 64 });
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/**
 * Who is in a group, as far as an approver says so. `all`: every device. `listed`: exactly these (SHA-256 over the sorted ids, one a line).
 * `open`: whoever the control plane puts there; what the group gets, any device may get.
 */
export const TargetGroup = Type.Object(
  {
    group: Id,
    members: Type.Union([
      Type.Object({ kind: Type.Literal('all') }, closed),
      Type.Object({ kind: Type.Literal('listed'), count: Count, digest: HexDigest }, closed),
      Type.Object({ kind: Type.Literal('open') }, closed),
    ]),
  },
  closed,
);
export type TargetGroup = Static<typeof TargetGroup>;

/** Everything that decides which bundle a device gets. Each list is sorted by its first member, so equal targets have equal bytes. */
export const Target = Type.Object(
  {
    format: Type.Literal('cordon-target/1'),
    policies: Type.Array(
      Type.Object({ policy: Id, revision: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), digest: HexDigest }, closed),
      { maxItems: 10_000 },
    ),
    assignments: Type.Array(
      Type.Object({ assignment: Id, policy: Id, group: Id, mode: Type.Union([Type.Literal('include'), Type.Literal('exclude')]) }, closed),
      { maxItems: 100_000 },
    ),
    groups: Type.Array(TargetGroup, { maxItems: 10_000 }),
    /** Time-boxed, each for one group; a device is a group of itself under its id. Absent where there are none. */
    exceptions: Type.Optional(Type.Array(Type.Object({ ...exceptionTerms, group: Id }, closed), { minItems: 1, maxItems: 10_000 })),
  },
  closed,
);
export type Target = Static<typeof Target>;

/**
 * Payload of `cordon-approval+jws` (general JWS: one signature an approver, counted by distinct key against the root's threshold).
 * `from` names the target that was approved last and the serial under which it came into force; null is the beginning of an epoch. Because serials only
 * grow, an approval fits one moment and no other: it cannot be used twice.
 */
export const ApprovalPayload = Type.Object(
  {
    format: Type.Literal('cordon-approval/1'),
    org: Id,
    epoch: Count,
    from: Type.Union([Type.Object({ digest: HexDigest, serial: Count }, closed), Type.Null()]),
    to: HexDigest,
    issuedAt: Time,
    /** Until when it may be put in force. */
    expiresAt: Time,
    /** Until when the target that it leads away from may be put back in force without another approval: the rollout's soak time. Null: not at all. */
    wayBackUntil: Type.Union([Time, Type.Null()]),
  },
  closed,
);
export type ApprovalPayload = Static<typeof ApprovalPayload>;

/** Longest time between signing and use, and longest way back: 30 days each. */
export const MAX_APPROVAL_MS = 30 * 86_400_000;

export const targetDigest = (target: Target): string => sha256Hex(canonicalJson(target));

/** @param ids of devices, in any order */
export const membersDigest = (ids: readonly string[]): string => sha256Hex(ids.toSorted().join('\n'));
