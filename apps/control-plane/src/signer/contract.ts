/** What the control plane asks of the signer, and what it is told. The signer believes none of it: it checks shapes here and everything else against its own state. */
import { Type, type Static } from 'typebox';
import { Target } from '@cordon/policy/approval/approval.ts';
import { HexDigest } from '@cordon/policy/protocol/enrollment.ts';
import { BundleManifest } from '@cordon/policy/trust/bundle.ts';
import { CheckpointPayload } from '@cordon/policy/trust/checkpoint.ts';

const closed = { additionalProperties: false } as const;
/** Printable and without spaces. */
const Id = Type.String({ pattern: '^[!-~]{1,64}$' });
const Index = Type.Integer({ minimum: 0, maximum: 4_000_000 });
const Serial = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A leaf of the members tree: its place, the device and its cohort. A place that nobody has now: both empty. */
export const MemberChange = Type.Tuple([Index, Type.String({ pattern: '^[!-~]{0,64}$' }), Type.String({ pattern: '^[!-~]{0,64}$' })]);
/** A leaf of the cohorts tree: its place, the cohort, the bundle's digest and the serial of its last change. */
export const CohortChange = Type.Tuple([Index, Id, HexDigest, Serial]);

/** An approval that comes into force with this checkpoint, with everything that its digests speak of. */
export const ApprovalToWalk = Type.Object(
  {
    /** General JWS `cordon-approval+jws`. */
    jws: Type.String({ maxLength: 16_384 }),
    target: Target,
    /** Devices of each listed group. */
    lists: Type.Record(Id, Type.Array(Id, { maxItems: 1_000_000 })),
    /** Canonical JSON of the documents of the target's revisions: what narrower bundles are compared with. Those that are not sent are asked of bundles. */
    documents: Type.Array(Type.String({ maxLength: 2_000_000 }), { maxItems: 10_000 }),
    /**
     * Under which it came into force, when that was with an earlier checkpoint that another replica's signer has signed: above that of the approval before it, and
     * at most this checkpoint's. Absent: this checkpoint's. Without it two signers would never agree on what the next approval leads away from.
     */
    serial: Type.Optional(Serial),
  },
  closed,
);

export const CheckpointRequest = Type.Object(
  {
    payload: CheckpointPayload,
    /** Roots of the trees that the changes apply to; null: these are all leaves. */
    base: Type.Union([Type.Object({ members: HexDigest, cohorts: HexDigest }, closed), Type.Null()]),
    members: Type.Array(MemberChange, { maxItems: 4_000_000 }),
    cohorts: Type.Array(CohortChange, { maxItems: 1_000_000 }),
    /** For each cohort the distinct sets of open groups that its devices are in. */
    claims: Type.Record(Id, Type.Array(Type.Array(Id, { maxItems: 1000 }), { maxItems: 10_000 })),
    /** Texts of bundles that the signer may not have. */
    bundles: Type.Array(Type.String({ maxLength: 2_000_000 }), { maxItems: 100_000 }),
    approvals: Type.Array(ApprovalToWalk, { maxItems: 64 }),
  },
  closed,
);

export type MemberChange = Static<typeof MemberChange>;
export type CohortChange = Static<typeof CohortChange>;
export type ApprovalToWalk = Static<typeof ApprovalToWalk>;
export type CheckpointRequest = Static<typeof CheckpointRequest>;

/** Where the signer stands. */
export interface SignerHead {
  readonly epoch: number;
  readonly serial: number;
  /** The target that people approved last, and the serial under which it came into force: what the next approval leads away from. */
  readonly approved: { readonly digest: string; readonly serial: number } | null;
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
  signManifest(payload: BundleManifest): Promise<string>;
  signCheckpoint(request: CheckpointRequest): Promise<string>;
  close(): Promise<void>;
}
