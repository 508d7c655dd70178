/**
 * Compression of what devices are sent (RFC 7692), by our own frames: a bundle is compressed once for all. Each message stands by itself, so neither side keeps a
 * window between two. Devices send nothing compressed, and nothing compressed is taken: who would, as most clients do that offer it, is declined.
 */

/** What the server answers. */
export const COMPRESSION = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

const DEMANDED = ['server_no_context_takeover', 'client_no_context_takeover'];
/** One that bounds the server's window our frames would not fit. */
const KNOWN = new Set([...DEMANDED, 'client_max_window_bits']);

/** Whether a request's Sec-WebSocket-Extensions offers exactly what our frames are: both sides forget. Any other offer is none. */
export const takesCompression = (header: string | undefined): boolean =>
  (header ?? '').split(',').some((offer) => {
    const [name, ...parameters] = offer.split(';').map((part) => part.trim().split('=')[0] ?? '');
    return name === 'permessage-deflate' && parameters.every((one) => KNOWN.has(one)) && DEMANDED.every((one) => parameters.includes(one));
  });
