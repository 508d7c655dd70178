/** What a run may ask of its own identity. Types only, but for their schemas. */
import { Type, type Static } from 'typebox';

/** For the run that asks, and no other: whoever it is says where it connected. */
export const TOKEN_REQUEST = Type.Object(
  { op: Type.Literal('token'), audience: Type.String({ minLength: 1, maxLength: 264 }) },
  { additionalProperties: false },
);
export type TokenAsked = Static<typeof TOKEN_REQUEST>;

/** A token as it is given out: a secret for its audience alone, until it ends. */
export interface GivenToken {
  readonly token: string;
  readonly audience: string;
  readonly expiresAt: string;
}
export type TokenGiven = { readonly type: 'token' } & GivenToken;
