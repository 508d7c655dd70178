/** The server name of a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), read without a TLS library: only to compare it with the CONNECT name. */

export type Hello =
  | { readonly kind: 'more' }
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'tls'; readonly serverName: string | undefined };

/** @param bytes what the client has sent so far */
export const readClientHello = (bytes: Buffer): Hello => {
  if (bytes.length === 0) return { kind: 'more' };
  if (bytes[0] !== 0x16) return { kind: 'not-tls' };
  if (bytes.length < 5) return { kind: 'more' };
  if (bytes[1] !== 3) return { kind: 'not-tls' };
  const end = 5 + bytes.readUInt16BE(3);
  if (bytes.length < end) return bytes.length > 20_000 ? { kind: 'not-tls' } : { kind: 'more' };
  try {
    if (bytes[5] !== 1) return { kind: 'not-tls' };
    let at = 5 + 4 + 2 + 32;
    at += 1 + bytes.readUInt8(at); // session id
    at += 2 + bytes.readUInt16BE(at); // cipher suites
    at += 1 + bytes.readUInt8(at); // compression methods
    const extensionsEnd = at + 2 + bytes.readUInt16BE(at);
    for (at += 2; at < extensionsEnd;) {
      const type = bytes.readUInt16BE(at);
      const length = bytes.readUInt16BE(at + 2);
      if (type === 0 && bytes.readUInt8(at + 6) === 0) {
        const size = bytes.readUInt16BE(at + 7);
        return { kind: 'tls', serverName: bytes.toString('latin1', at + 9, at + 9 + size) };
      }
      at += 4 + length;
    }
    return { kind: 'tls', serverName: undefined };
  } catch {
    return { kind: 'not-tls' }; // lengths that lead outside: no hello that a server would take
  }
};
