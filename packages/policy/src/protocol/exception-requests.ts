/**
 * What a person on a device asks for: that something which was denied be allowed. It grants nothing, and says nothing that anyone must believe; people decide. What
 * a run wrote is a draft on the device until a person confirms it, and stays marked as that.
 */
import { Type, type Static } from 'typebox';
import { Time } from './time.ts';

const closed = { additionalProperties: false } as const;
const Text = (max: number) => Type.String({ maxLength: max });

/** Of a reason, in characters. */
export const MAX_REASON = 500;
/** Devices ask for so much at a time; what is withdrawn makes room. */
export const MAX_OPEN_REQUESTS = 50;

export const RequestId = Type.String({ pattern: '^req_[A-Za-z0-9_-]{16,40}$' });

export const ExceptionRequest = Type.Object(
  {
    id: RequestId,
    state: Type.Union([Type.Literal('open'), Type.Literal('withdrawn')]),
    /** When the person asked, by the device's clock. */
    at: Time,
    agent: Text(64),
    osUser: Text(64),
    access: Type.Union([Type.Literal('read'), Type.Literal('write'), Type.Literal('network')]),
    /** A path, or a host with its port. */
    target: Type.String({ minLength: 1, maxLength: 4096 }),
    reason: Text(MAX_REASON),
    /** Whether the words are a program's, from inside a run, that a person confirmed. */
    drafted: Type.Boolean(),
    /** The run that drafted it. */
    run: Type.Union([Text(64), Type.Null()]),
    /** What denies it there; empty where no rule allows it. */
    rule: Text(160),
    policy: Text(128),
  },
  closed,
);
export type ExceptionRequest = Static<typeof ExceptionRequest>;

/** Device to server: said again at each connection until it is answered. */
export const RequestFrame = Type.Object({ type: Type.Literal('exception.request'), request: ExceptionRequest }, closed);
export type RequestFrame = Static<typeof RequestFrame>;

/** It is stored in this state, or will not be: `code` says why. */
export const RequestReply = Type.Object(
  {
    type: Type.Literal('exception.reply'),
    id: RequestId,
    state: Type.Union([Type.Literal('open'), Type.Literal('withdrawn')]),
    code: Type.Optional(Text(64)),
  },
  closed,
);
export type RequestReply = Static<typeof RequestReply>;
