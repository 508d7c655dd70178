/** What the control plane asks of the signer, and what it is told. The signer believes none of it: it checks shapes here and everything else against its own state. */
import { Type, type Static } from 'typebox';
import { Target } from '@cordon/policy/approval/approval.ts';
import { HexDigest } from '@cordon/policy/protocol/enrollment.ts';
import { Time } from '@cordon/policy/protocol/time.ts';
import type { BundleManifest } from '@cordon/policy/trust/bundle.ts';
import { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';
import type { RunTokenClaims } from '@cordon/policy/trust/run-token.ts';

const closed = { additionalProperties: false } as const;
/** Printable and without spaces. */
const Id = Type.String({ pattern: '^[!-~]{1,64}$' });
const IdOrNone = Type.String({ pattern: '^[!-~]{0,64}$' });
const Index = Type.Integer({ minimum: 0, maximum: 4_000_000 });
const Serial = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Text = Type.String({ maxLength: 2_000_000 });

/** A leaf of the members tree: its place, the device and its cohort. A place that nobody has now: both empty. */
const MemberChange = Type.Tuple([Index, IdOrNone, IdOrNone]);
/** A leaf of the cohorts tree: its place, the cohort, the bundle's digest and the serial of its last change. */
const CohortChange = Type.Tuple([Index, Id, HexDigest, Serial]);
const leaves = {
  members: Type.Array(MemberChange, { maxItems: 4_000_000 }),
  cohorts: Type.Array(CohortChange, { maxItems: 1_000_000 }),
  /** Texts of bundles that the signer may not have. */
  bundles: Type.Array(Text, { maxItems: 100_000 }),
};

/** What people approved, by digests: the target that stands, and the one before it with the end of the way back. */
export const StandingSchema = Type.Object(
  {
    approved: Type.Union([Type.Object({ digest: HexDigest, serial: Serial }, closed), Type.Null()]),
    before: Type.Union([Type.Object({ digest: HexDigest, until: Time }, closed), Type.Null()]),
  },
  closed,
);
export const TreeSchema = CheckpointPayload.properties.members;

const target = {
  target: Target,
  /** Devices of each listed group. */
  lists: Type.Record(Id, Type.Array(Id, { maxItems: 1_000_000 })),
  /** Canonical JSON of the documents of the target's revisions: what narrower bundles are compared with. Others are taken from bundles. */
  documents: Type.Array(Text, { maxItems: 10_000 }),
};
/** A target with everything that its digests speak of. */
const TargetToKnow = Type.Object(target, closed);
/** An approval that comes into force with this checkpoint: a general JWS `cordon-approval+jws`. */
const ApprovalToWalk = Type.Object({ jws: Type.String({ maxLength: 16_384 }), ...target }, closed);

/** A whole state that another signer with the same keys has signed: this one goes on from there, and never back. */
export const FollowRequest = Type.Object(
  {
    /** The newest checkpoint. */
    checkpoint: Type.String({ maxLength: 8192 }),
    /** What its `standing` is the digest of. */
    standing: StandingSchema,
    targets: Type.Array(TargetToKnow, { maxItems: 2 }),
    ...leaves,
  },
  closed,
);

export const CheckpointRequest = Type.Object(
  {
    payload: CheckpointPayload,
    /** Roots of the trees that the changes apply to; null: these are all leaves. */
    base: Type.Union([Type.Object({ members: HexDigest, cohorts: HexDigest }, closed), Type.Null()]),
    ...leaves,
    /** For each cohort the distinct sets of open groups that its devices are in. */
    claims: Type.Record(Id, Type.Array(Type.Array(Id, { maxItems: 1000 }), { maxItems: 10_000 })),
    approvals: Type.Array(ApprovalToWalk, { maxItems: 8 }),
  },
  closed,
);

export type MemberChange = Static<typeof MemberChange>;
export type CohortChange = Static<typeof CohortChange>;
export type StandingMark = Static<typeof StandingSchema>;
export type TargetToKnow = Static<typeof TargetToKnow>;
export type ApprovalToWalk = Static<typeof ApprovalToWalk>;
export type FollowRequest = Static<typeof FollowRequest>;
export type CheckpointRequest = Static<typeof CheckpointRequest>;

/** Where the signer stands. */
export interface SignerHead {
  readonly epoch: number;
  readonly serial: number;
  /** The target that people approved last, and the serial under which it came into force: what the next approval leads away from. */
  readonly approved: StandingMark['approved'];
  /** The one before it, and until when it may be put back in force. */
  readonly before: StandingMark['before'];
  /** Roots of the trees that it signed last; those of empty trees before. */
  readonly members: string;
  readonly cohorts: string;
}

/**
 * The process that holds the online keys. It signs only what narrows or what an approval covers.
 * @throws CordonError `signer.unapproved` (who gains what), `signer.behind` (send all leaves), `signer.rollback`, `signer.refused`, `signer.unavailable`, `approval.*`
 */
export interface SignerClient {
  head(): Promise<SignerHead>;
  /** The organisation's chain of roots, verified against the first one that this signer was ever given. */
  roots(roots: readonly string[]): Promise<void>;
  /** @throws CordonError `signer.follow` when the checkpoint does not vouch for all that */
  follow(request: FollowRequest): Promise<void>;
  signManifest(payload: BundleManifest): Promise<string>;
  signCheckpoint(request: CheckpointRequest): Promise<string>;
  /** @throws CordonError `signer.token` when what it signed last does not give this device, cohort, bundle or audience; `signer.clock`, `signer.epoch` */
  signRunToken(claims: RunTokenClaims): Promise<string>;
  close(): Promise<void>;
}
