import { hash } from 'node:crypto';

/** SHA-256 as 64 lower-case hex digits. Text is hashed as its UTF-8 bytes. */
export const sha256Hex = (input: string | Uint8Array): string => hash('sha256', input, 'hex');

/** SHA-256 as base64url without padding, as in JWK thumbprints (RFC 7638). */
export const sha256Base64Url = (input: string | Uint8Array): string => hash('sha256', input, 'base64url');
