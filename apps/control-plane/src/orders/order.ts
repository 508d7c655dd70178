/** What approvers ordered one device, as an administrator sees it. Pure. */
import { OrderKind } from '@cordon/policy/protocol/orders.ts';
import { Type, type Static } from 'typebox';

const Text = Type.Union([Type.String(), Type.Null()]);
const STATES = ['waiting', 'accepted', 'refused', 'over'] as const;

export const OrderView = Type.Object(
  {
    /** SHA-256 of the text that was signed. */
    digest: Type.String(),
    device: Type.String(),
    order: OrderKind,
    /** waiting: until the device has answered; over: it ended before that. */
    state: Type.Enum([...STATES]),
    code: Text,
    expiresAt: Type.String(),
    createdBy: Type.String(),
    createdAt: Type.String(),
    answeredAt: Text,
    /** A retired device's last word, signed by its key. */
    proof: Text,
  },
  { additionalProperties: false },
);
export type OrderView = Static<typeof OrderView>;

export interface OrderRow {
  readonly digest: string;
  readonly deviceId: string;
  readonly kind: string;
  readonly text: string;
  readonly expiresAt: Date;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly answeredAt: Date | null;
  readonly accepted: boolean | null;
  readonly code: string | null;
  readonly proof: string | null;
}

const stateOf = ({ accepted, expiresAt }: OrderRow, now: Date): OrderView['state'] =>
  accepted === null ? (now < expiresAt ? 'waiting' : 'over') : accepted ? 'accepted' : 'refused';

export const showOrder = (row: OrderRow, now: Date): OrderView => ({
  digest: row.digest,
  device: row.deviceId,
  order: row.kind === 'retirement' ? 'retirement' : 'maintenance',
  state: stateOf(row, now),
  code: row.code,
  expiresAt: row.expiresAt.toISOString(),
  createdBy: row.createdBy,
  createdAt: row.createdAt.toISOString(),
  answeredAt: row.answeredAt?.toISOString() ?? null,
  proof: row.proof,
});
