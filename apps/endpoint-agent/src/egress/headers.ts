/** Which header fields go on: written anew, never copied as they came. */
import type { IncomingMessage } from 'node:http';

/** Connection-specific fields are never forwarded (RFC 9110 §7.6.1); `host` is made from the target, and `expect` was answered here. */
const OWN = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);

/**
 * @param without the name of one more field that does not go on
 * @returns names and values one after the other, without those that belong to the connection or that Connection names
 */
export const forwardable = ({ rawHeaders, headers }: IncomingMessage, without?: string): string[] => {
  const named = new Set(
    (headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
  return rawHeaders.filter((_, i) => {
    const name = (rawHeaders[i - (i % 2)] ?? '').toLowerCase();
    return !OWN.has(name) && !named.has(name) && name !== without?.toLowerCase();
  });
};

/** Fields whose repetition servers read differently (RFC 9112 §6): such a request is refused. */
export const isAmbiguous = ({ rawHeaders, headers }: IncomingMessage): boolean => {
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const coding = headers['transfer-encoding'];
  return (
    ['host', 'content-length', 'transfer-encoding'].some((name) => names.indexOf(name) !== names.lastIndexOf(name)) ||
    (coding !== undefined && coding.toLowerCase() !== 'chunked')
  );
};
