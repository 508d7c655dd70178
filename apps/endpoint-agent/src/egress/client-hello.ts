/** The server name of a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), read without a TLS library: only to compare it with the CONNECT name. */

export type Hello =
  | { readonly kind: 'more' }
  | { readonly kind: 'not-tls' }
  /** TLS, but not in the one form that everybody reads alike: split over records, names twice, lengths that do not fit. */
  | { readonly kind: 'unclear' }
  | { readonly kind: 'tls'; readonly serverName: string | undefined };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 8446 §5.1, and some for TLS 1.2. */
const MAX_RECORD = 16_384 + 2048;

/** The name in a server_name extension: exactly one host name, nothing before or after it. */
const nameIn = (extension: Buffer): string | undefined => {
  if (extension.length < 5 || extension.readUInt16BE(0) !== extension.length - 2) return undefined;
  if (extension.readUInt8(2) !== HOST_NAME || extension.readUInt16BE(3) !== extension.length - 5) return undefined;
  return extension.toString('latin1', 5);
};

/** @param hello a ClientHello without its handshake header */
const read = (hello: Buffer): Hello => {
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at); // session id
  at += 2 + hello.readUInt16BE(at); // cipher suites
  at += 1 + hello.readUInt8(at); // compression methods
  if (at === hello.length) return { kind: 'tls', serverName: undefined };
  if (at + 2 + hello.readUInt16BE(at) !== hello.length) return { kind: 'unclear' };
  const names: (string | undefined)[] = [];
  for (at += 2; at < hello.length;) {
    const length = hello.readUInt16BE(at + 2);
    if (at + 4 + length > hello.length) return { kind: 'unclear' };
    if (hello.readUInt16BE(at) === SERVER_NAME) names.push(nameIn(hello.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  const [serverName] = names;
  return names.length > 1 || (names.length === 1 && serverName === undefined) ? { kind: 'unclear' } : { kind: 'tls', serverName };
};

/** @param bytes what the client has sent so far */
export const readClientHello = (bytes: Buffer): Hello => {
  if (bytes.length === 0) return { kind: 'more' };
  if (bytes[0] !== HANDSHAKE) return { kind: 'not-tls' };
  if (bytes.length < 5) return { kind: 'more' };
  if (bytes[1] !== 3) return { kind: 'not-tls' };
  const end = 5 + bytes.readUInt16BE(3);
  if (end > 5 + MAX_RECORD) return { kind: 'unclear' };
  if (bytes.length < end) return { kind: 'more' };
  // Read within its own record: whoever puts the rest into a second one could make this and the server see two different names.
  const record = bytes.subarray(5, end);
  if (record.length < 4 || record[0] !== CLIENT_HELLO || record.readUIntBE(1, 3) !== record.length - 4) return { kind: 'unclear' };
  try {
    return read(record.subarray(4));
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'unclear' };
    throw error;
  }
};
