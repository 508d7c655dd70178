/** What a device is to an admin. Pure. */
import { DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import { Type, type Static } from 'typebox';
import { standingOf, STANDINGS } from './standing.ts';

const Nullable = Type.Union([Type.String(), Type.Null()]);
const closed = { additionalProperties: false } as const;

/** Its key was used by a state that is not the newest: by a machine that was put back, or by two machines. */
export const CLONE_FINDING = 'device.clone-or-restore';

export const DeviceView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    version: Type.Integer(),
    state: Type.Enum([...STANDINGS]),
    thumbprint: Type.String(),
    keySince: Type.String(),
    /** What the device says of itself; nothing here is proved. */
    facts: DeviceFacts,
    groups: Type.Array(Type.Object({ id: Type.String(), name: Type.String() }, closed)),
    enrollmentTokenId: Type.String(),
    enrolledAt: Type.String(),
    approvedAt: Nullable,
    /** When it ended, as whatever `state` says. */
    revokedAt: Nullable,
    lastSeenAt: Nullable,
    quarantine: Type.Union([Type.Object({ at: Type.String(), by: Type.String(), reason: Type.String() }, closed), Type.Null()]),
    awaitingApproval: Type.Boolean({
      description: 'Its groups would give it more than anybody has approved for it: it has what was approved',
    }),
    awaitingReason: Nullable,
    compliance: Type.String(),
    findings: Type.Array(
      Type.Object({ code: Type.Literal(CLONE_FINDING), kind: Type.Enum(['restore', 'clone']), at: Type.String() }, closed),
    ),
  },
  closed,
);
export type DeviceView = Static<typeof DeviceView>;

export interface DeviceRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly thumbprint: string;
  readonly keySince: Date;
  readonly facts: unknown;
  readonly enrollmentTokenId: string;
  readonly enrolledAt: Date;
  readonly approvedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly endedAs: string | null;
  readonly lastSeenAt: Date | null;
  readonly awaiting: string | null;
  readonly quarantinedAt: Date | null;
  readonly quarantinedBy: string | null;
  readonly quarantineReason: string | null;
  readonly status: { readonly state: string } | null;
  readonly join: { readonly finding: string | null; readonly foundAt: Date | null } | null;
  readonly memberships: readonly { readonly group: { readonly id: string; readonly name: string } }[];
}

const findingsOf = ({ join }: Pick<DeviceRow, 'join'>): DeviceView['findings'] =>
  join === null || join.finding === null || join.foundAt === null
    ? []
    : [{ code: CLONE_FINDING, kind: join.finding === 'clone' ? 'clone' : 'restore', at: join.foundAt.toISOString() }];

export const showDevice = (row: DeviceRow): DeviceView => ({
  id: row.id,
  name: row.name,
  version: row.version,
  state: standingOf(row),
  thumbprint: row.thumbprint,
  keySince: row.keySince.toISOString(),
  facts: row.facts as DeviceFacts,
  groups: row.memberships.map(({ group }) => ({ id: group.id, name: group.name })),
  enrollmentTokenId: row.enrollmentTokenId,
  enrolledAt: row.enrolledAt.toISOString(),
  approvedAt: row.approvedAt?.toISOString() ?? null,
  revokedAt: row.revokedAt?.toISOString() ?? null,
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  quarantine:
    row.quarantinedAt === null
      ? null
      : { at: row.quarantinedAt.toISOString(), by: row.quarantinedBy ?? '', reason: row.quarantineReason ?? '' },
  awaitingApproval: row.awaiting !== null,
  awaitingReason: row.awaiting,
  compliance: row.status?.state ?? 'Unknown',
  findings: findingsOf(row),
});
