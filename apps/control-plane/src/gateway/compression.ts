/**
 * Compression of what devices are sent (RFC 7692), by our own frames: a bundle is compressed once for all. Each message stands by itself, so neither side keeps a
 * window between two, and a device sends nothing compressed.
 */

/** What the server answers. */
export const COMPRESSION = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

/** Parameters of an offer that our frames fit. One that bounds the server's window they would not. */
const SUITS = new Set(['client_max_window_bits', 'server_no_context_takeover', 'client_no_context_takeover']);

/** Whether a request's Sec-WebSocket-Extensions offers what our frames are. An offer that is not understood is none. */
export const takesCompression = (header: string | undefined): boolean =>
  (header ?? '').split(',').some((offer) => {
    const [name, ...parameters] = offer.split(';').map((part) => part.trim());
    return name === 'permessage-deflate' && parameters.every((parameter) => SUITS.has(parameter.split('=')[0] ?? ''));
  });
