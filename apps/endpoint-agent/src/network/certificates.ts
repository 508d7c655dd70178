/** The company's certificate authorities, for networks whose proxies open TLS: a file with certificates and nothing else, that only the administrator can change. */
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import { ownedFile } from '../owned-file.ts';

const MAX_BYTES = 1_048_576;
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=\r\n]+-----END \1-----/g;

/** @returns each certificate in PEM. @throws CordonError `network.certificates` */
export const readCertificates = (text: string, place: string): readonly string[] => {
  const refuse = (why: string, cause?: unknown): never => {
    throw new CordonError('network.certificates', `${place} ${why}: it must hold certificates of authorities in PEM, and nothing else`, {
      place,
      cause,
    });
  };
  const blocks = [...text.matchAll(BLOCK)];
  const other = blocks.find(([, kind]) => kind !== 'CERTIFICATE');
  if (other !== undefined) return refuse(`holds a ${String(other[1])}`);
  if (blocks.length === 0) return refuse('holds no certificate');
  // Words between certificates, as tools write them, are no blocks: one that is cut off would look like that.
  if (/-----/.test(text.replaceAll(BLOCK, ''))) return refuse('holds a block that is damaged');
  for (const [pem] of blocks) {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(pem);
    } catch (cause) {
      return refuse('holds a certificate that cannot be read', cause);
    }
    if (!certificate.ca)
      return refuse(`holds the certificate of ${certificate.subject.replaceAll('\n', ', ').slice(0, 120)}, which is no authority`);
  }
  return blocks.map(([pem]) => pem);
};

/** @throws CordonError `file.*`, `network.certificates` */
export const certificatesIn = (file: string): readonly string[] =>
  ownedFile(file, { maxBytes: MAX_BYTES, secret: false, because: 'whoever writes it decides whom this device speaks to' }, (fd) =>
    readCertificates(fs.readFileSync(fd, 'utf8'), file),
  );
