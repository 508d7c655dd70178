/**
 * Parts of a backup at rest: AES-256-GCM in pieces of 64 KiB, each under the number of its place and whether it is the last, so that nothing can be changed, moved,
 * left out or cut off (the STREAM construction). The key of a part derives from the passphrase and the part's name, so no part stands in for another.
 */
import { createCipheriv, createDecipheriv, hkdfSync, scryptSync } from 'node:crypto';
import { CordonError } from '@cordon/policy/errors.ts';

const PIECE = 65_536;
const TAG = 16;
/** scrypt (RFC 7914): 128 MiB and about half a second for each guess of a passphrase. */
export const COST = { N: 2 ** 17, r: 8, p: 1 } as const;

/** @param salt 16 random bytes, new for each backup */
export const masterKey = (passphrase: Uint8Array, salt: Uint8Array): Buffer =>
  scryptSync(passphrase, salt, 32, { ...COST, maxmem: 256 * 1024 * 1024 });

/** @param purpose the name of a part, or what else the key is for (RFC 5869) */
export const derivedKey = (master: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), `cordon-backup/1 ${purpose}`, 32));

const nonceOf = (piece: number, last: boolean): Buffer => {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(piece), 3);
  nonce[11] = last ? 1 : 0;
  return nonce;
};

/** Cuts a stream into pieces of one size. The last one is shorter, or empty, and always there. */
async function* inPieces(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly bytes: Buffer; readonly last: boolean }> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = Buffer.concat([held, chunk]);
    for (; held.length > size; held = held.subarray(size)) yield { bytes: held.subarray(0, size), last: false };
  }
  yield { bytes: held, last: true };
}

/** For `stream.pipeline`. */
export const seal = (key: Buffer) =>
  async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    let piece = 0;
    for await (const { bytes, last } of inPieces(source, PIECE)) {
      const cipher = createCipheriv('aes-256-gcm', key, nonceOf(piece++, last));
      yield Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    }
  };

/** For `stream.pipeline`. Nothing is given out before it is verified. @throws CordonError `backup.damaged` */
export const unseal = (key: Buffer, name: string) =>
  async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    let piece = 0;
    for await (const { bytes, last } of inPieces(source, PIECE + TAG)) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(piece++, last), { authTagLength: TAG });
        decipher.setAuthTag(bytes.subarray(-TAG));
        yield Buffer.concat([decipher.update(bytes.subarray(0, -TAG)), decipher.final()]);
      } catch (cause) {
        throw new CordonError('backup.damaged', `the part ${name} of the backup was changed or cut off: take another backup`, {
          place: name,
          cause,
        });
      }
    }
  };
