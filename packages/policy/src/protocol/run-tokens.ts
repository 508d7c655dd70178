/** A device asks for the token of one of its runs, in its session; at most one answer to each question, by its number. */
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const Place = Type.Integer({ minimum: 1, maximum: 2_147_483_647 });
const Compact = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,4096}$' });

/** Device to server. The statement (trust/run-statement.ts) says everything; its own number is that of the question. */
export const TokenRequest = Type.Object({ type: Type.Literal('token'), number: Place, statement: Compact }, closed);
export type TokenRequest = Static<typeof TokenRequest>;

/** Server to device: the token, or why there is none. */
export const TokenReply = Type.Object(
  {
    type: Type.Literal('token.reply'),
    number: Place,
    token: Type.Optional(Compact),
    /** When the token ends. */
    expiresAt: Type.Optional(Type.String({ maxLength: 32 })),
    code: Type.Optional(Type.String({ maxLength: 64 })),
    detail: Type.Optional(Type.String({ maxLength: 512 })),
    /** It may be there if asked for again soon. */
    retryable: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type TokenReply = Static<typeof TokenReply>;
