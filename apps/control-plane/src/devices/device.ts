/** What a device is to an admin. Pure. */
import { DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import { Type, type Static } from 'typebox';

const Nullable = Type.Union([Type.String(), Type.Null()]);

export const DeviceView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    version: Type.Integer(),
    thumbprint: Type.String(),
    /** What the device says of itself; nothing here is proved. */
    facts: DeviceFacts,
    groups: Type.Array(Type.Object({ id: Type.String(), name: Type.String() }, { additionalProperties: false })),
    enrollmentTokenId: Type.String(),
    enrolledAt: Type.String(),
    revokedAt: Nullable,
    lastSeenAt: Nullable,
    compliance: Type.String(),
  },
  { additionalProperties: false },
);
export type DeviceView = Static<typeof DeviceView>;

export interface DeviceRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly thumbprint: string;
  readonly facts: unknown;
  readonly enrollmentTokenId: string;
  readonly enrolledAt: Date;
  readonly revokedAt: Date | null;
  readonly lastSeenAt: Date | null;
  readonly status: { readonly state: string } | null;
  readonly memberships: readonly { readonly group: { readonly id: string; readonly name: string } }[];
}

export const showDevice = ({ memberships, status, facts, ...row }: DeviceRow): DeviceView => ({
  id: row.id,
  name: row.name,
  version: row.version,
  thumbprint: row.thumbprint,
  facts: facts as DeviceFacts,
  groups: memberships.map(({ group }) => ({ id: group.id, name: group.name })),
  enrollmentTokenId: row.enrollmentTokenId,
  enrolledAt: row.enrolledAt.toISOString(),
  revokedAt: row.revokedAt?.toISOString() ?? null,
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
  compliance: status?.state ?? 'Unknown',
});
