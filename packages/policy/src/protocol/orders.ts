/** Orders: what approvers say to one device with their own keys (a maintenance grant, a retirement), how it answers, and what a device says of its own state. */
import { Type, type Static } from 'typebox';
import { HexDigest } from './enrollment.ts';

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const MAX_ORDER = 16_384;

export const OrderKind = Type.Union([Type.Literal('maintenance'), Type.Literal('retirement')]);
export type OrderKind = Static<typeof OrderKind>;

/** Server to device: the exact text that approvers signed. Sent until it is answered. */
export const OrderFrame = Type.Object(
  { type: Type.Literal('order'), order: OrderKind, text: Type.String({ minLength: 1, maxLength: MAX_ORDER }) },
  closed,
);
export type OrderFrame = Static<typeof OrderFrame>;

/** Device to server. `digest` is the SHA-256 of the text; `code` says why it was refused; `proof` is signed by the device (`cordon-retired+jws`). */
export const OrderReply = Type.Object(
  {
    type: Type.Literal('order.reply'),
    digest: HexDigest,
    accepted: Type.Boolean(),
    code: Type.Optional(Type.String({ maxLength: 64 })),
    proof: Type.Optional(Type.String({ maxLength: 4096 })),
  },
  closed,
);
export type OrderReply = Static<typeof OrderReply>;

/** How the daemon before this one ended, as far as this one can tell. */
export const EndedBy = Type.Union([
  Type.Literal('nothing-before'),
  Type.Literal('reboot'),
  Type.Literal('stop'),
  Type.Literal('crash'),
  Type.Literal('maintenance'),
]);
export type EndedBy = Static<typeof EndedBy>;

/** Member of hello: whether this device's state is the one that the server knows. Compared with what it said before and with what it acknowledged. */
export const Integrity = Type.Object(
  {
    /** Random, made with the state folder: another one means that the folder was deleted. */
    state: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
    /** Grows with each hello: one that does not means that an older copy was put back, or that there are two. */
    counter: Count,
    /** What it was at the first hello of this process. */
    first: Count,
    /** False when it could not be written (a full disk): then it has not grown. */
    stored: Type.Boolean(),
    /** The ratchet: the highest that was ever accepted. */
    accepted: Type.Object({ epoch: Count, serial: Count }, closed),
    assurance: Type.Union([Type.Literal('system'), Type.Literal('user')]),
    /** Of the machine; null where the system has none. A maintenance grant names it. */
    machineBoot: Type.Union([Type.String({ pattern: '^[0-9a-f-]{36}$' }), Type.Null()]),
    after: EndedBy,
  },
  closed,
);
export type Integrity = Static<typeof Integrity>;
