/** Certificates for tests, made here (X.509, RFC 5280, in DER): so that no private key lies in the repository and no program is needed to make them. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? Buffer.of(body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, body]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const time = (at: Date): Buffer => der(0x18, Buffer.from(at.toISOString().replaceAll(/[-:T]|\.\d+/g, '')));
const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n')
    .trim()}\n-----END ${label}-----\n`;
const nameOf = (name: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));
const DAY_MS = 86_400_000;

export interface TestCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** @param issuer signs it; without one it signs itself. @param isAuthority may sign others */
export const makeCertificate = (options: {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly isAuthority: boolean;
  readonly issuer?: TestCertificate;
}): TestCertificate => {
  const { name, hosts, isAuthority, issuer } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaSha256 = sequence(oid('2a8648ce3d040302'));
  const constraints = sequence(
    oid('551d13'),
    der(0x01, Buffer.of(0xff)),
    der(0x04, isAuthority ? sequence(der(0x01, Buffer.of(0xff))) : sequence()),
  );
  const names = sequence(...hosts.map((host) => der(0x82, Buffer.from(host))));
  const extensions = [constraints, ...(hosts.length > 0 ? [sequence(oid('551d11'), der(0x04, names))] : [])];
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(issuer === undefined ? 1 : 2)),
    ecdsaSha256,
    nameOf(issuer?.name ?? name),
    sequence(time(new Date(Date.now() - DAY_MS)), time(new Date(Date.now() + DAY_MS))),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  return {
    cert: pem('CERTIFICATE', sequence(body, ecdsaSha256, der(0x03, Buffer.of(0), signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
    privateKey,
  };
};
