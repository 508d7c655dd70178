/** Session tickets: each opens one channel, at any replica, within 60 seconds. That it opens only one is a matter of its number (join.ts). */
import { Buffer } from 'node:buffer';
import { Join } from '@cordon/policy/protocol/enrollment.ts';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Sealed, Sealer } from './sealed.ts';

/** Whose session, opened with which of its keys, and its place in the line of sessions. */
export const Ticket = Type.Object(
  { device: Type.String(), generation: Type.Integer({ minimum: 1 }), join: Join },
  { additionalProperties: false },
);
export type Ticket = Static<typeof Ticket>;
const validator = Compile(Ticket);

export interface Tickets {
  issue(ticket: Ticket): Sealed;
  /** @returns what the ticket says, if it is one of ours and in time */
  read(secret: string): Ticket | undefined;
}

export const createTickets = (sealer: Sealer): Tickets => ({
  issue: (ticket) => sealer.seal('ticket', '', Buffer.from(JSON.stringify(ticket))),
  read: (secret) => {
    const body = sealer.open('ticket', '', secret);
    if (body === undefined) return undefined;
    const ticket: unknown = JSON.parse(body.toString('utf8'));
    return validator.Check(ticket) ? ticket : undefined;
  },
});
