/** What is asked of the daemon about requests for exceptions, and what it answers. Types, and their schemas. */
import { Type, type Static } from 'typebox';
import { ExceptionRequest, MAX_REASON, RequestId } from '@cordon/policy/protocol/exception-requests.ts';

const closed = { additionalProperties: false } as const;

export const ASKING_REQUESTS = [
  Type.Object(
    {
      op: Type.Literal('request'),
      target: Type.String({ minLength: 1, maxLength: 4096 }),
      access: Type.Union([Type.Literal('read'), Type.Literal('write')]),
      reason: Type.String({ maxLength: 4 * MAX_REASON }),
      agent: Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' })),
      user: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
      cwd: Type.String({ minLength: 1, maxLength: 4096, pattern: '^/' }),
    },
    closed,
  ),
  Type.Object({ op: Type.Literal('requests') }, closed),
  Type.Object({ op: Type.Literal('request.confirm'), id: RequestId }, closed),
  Type.Object({ op: Type.Literal('request.withdraw'), id: RequestId }, closed),
] as const;
export type AskingRequest = Static<(typeof ASKING_REQUESTS)[number]>;

/** A request as this device keeps it. A draft is a program's, and goes nowhere until its person confirms it. */
export const Asked = Type.Object(
  {
    ...ExceptionRequest.properties,
    state: Type.Union([Type.Literal('draft'), Type.Literal('open'), Type.Literal('withdrawn')]),
    /** Whose it is. */
    uid: Type.Integer({ minimum: 0 }),
    /** Whether the control plane has it as it is now; null: it has not said. */
    stored: Type.Union([Type.Boolean(), Type.Null()]),
  },
  closed,
);
export type Asked = Static<typeof Asked>;

export type AskingReply =
  | { readonly type: 'asked'; readonly asked: Asked }
  | { readonly type: 'requests'; readonly requests: readonly Asked[] };
