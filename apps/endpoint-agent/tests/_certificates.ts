/** An authority and certificates of it (X.509, RFC 5280, in DER), made here: no private key lies in the repository, and times can be any. */
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? Buffer.of(body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const time = (at: number): Buffer => der(0x18, Buffer.from(new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, '')));
const nameOf = (text: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(text)))));
const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replaceAll(/(.{64})/g, '$1\n')}\n-----END ${label}-----\n`;
const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const TRUE = Buffer.of(0x01, 0x01, 0xff);

interface Wanted {
  readonly subject: string;
  readonly key: KeyObject;
  readonly from: number;
  readonly to: number;
  readonly extension: Buffer;
}

const certificate = (issuer: string, signer: KeyObject, { subject, key, from, to, extension }: Wanted): string => {
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1 + Math.floor(Math.random() * 100))),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(from), time(to)),
    nameOf(subject),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  return pem('CERTIFICATE', sequence(body, ECDSA_SHA256, der(0x03, Buffer.of(0), sign('sha256', body, signer))));
};

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const DAY = 86_400_000;
const IS_AUTHORITY = sequence(oid('551d13'), TRUE, der(0x04, sequence(TRUE)));
const forNames = (names: readonly Buffer[]): Buffer => sequence(oid('551d11'), der(0x04, sequence(...names)));

export interface Authority {
  readonly cert: string;
  /** For 127.0.0.1 unless another name is given; days from now. */
  issue(wanted?: { readonly host?: string; readonly from?: number; readonly to?: number }): { readonly cert: string; readonly key: string };
}

export const createAuthority = (name = 'Cordon test authority'): Authority => {
  const own = newKey();
  const now = Date.now();
  return {
    cert: certificate(name, own, { subject: name, key: own, from: now - DAY, to: now + DAY, extension: IS_AUTHORITY }),
    issue: ({ host, from = -1, to = 1 } = {}) => {
      const key = newKey();
      const extension = forNames([host === undefined ? der(0x87, Buffer.of(127, 0, 0, 1)) : der(0x82, Buffer.from(host))]);
      const wanted = { subject: host ?? '127.0.0.1', key, from: now + from * DAY, to: now + to * DAY, extension };
      return { cert: certificate(name, own, wanted), key: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
};
