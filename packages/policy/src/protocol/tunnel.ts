/**
 * The way for networks that let no WebSocket through: a stream of bytes in each direction, carried by ordinary requests. What runs in it is the channel itself, upgrade,
 * ticket, frames and limits included. A request says at which byte it stands, so each can be repeated when its answer was lost.
 *
 *   POST /agent/v1/tunnel        Authorization: Bearer TICKET                            → 201 {"tunnel", "pollSeconds"}
 *   POST /agent/v1/tunnel/up     Authorization: Bearer TUNNEL, Cordon-Offset: N, bytes   → 204: taken, N plus their number so far
 *   POST /agent/v1/tunnel/down   Authorization: Bearer TUNNEL, Cordon-Offset: N          → 200 bytes from N, or 204 when there were none for pollSeconds
 *
 * 410 tunnel.ended: it is over, and nothing is left to fetch.
 */
import { Type, type Static } from 'typebox';
import { Base64Url } from './enrollment.ts';

export const TUNNEL_PATH = '/agent/v1/tunnel';
export const OFFSET_HEADER = 'cordon-offset';

/** Bytes in one request or answer. */
export const MAX_TUNNEL_UP = 262_144;
export const MAX_TUNNEL_DOWN = 1_048_576;

export const TunnelReply = Type.Object(
  { tunnel: Base64Url(64), pollSeconds: Type.Integer({ minimum: 1, maximum: 60 }) },
  { additionalProperties: false },
);
export type TunnelReply = Static<typeof TunnelReply>;

/** @returns undefined for what is no offset */
export const readOffset = (text: string | string[] | undefined): number | undefined =>
  typeof text === 'string' && /^(?:0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : undefined;
