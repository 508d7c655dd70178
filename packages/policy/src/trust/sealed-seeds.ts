/** Private keys at rest: scrypt (RFC 7914) from a passphrase, AES-256-GCM over the seeds. The caller brings passphrase and randomness, and keeps both out of argv, environments and logs. */
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { parseStrictJson } from './strict-json.ts';

/** Seeds by a name of the caller's, base64url. */
export type Seeds = Readonly<Record<string, string>>;

const FORMAT = 'cordon-keys/1';
const COST = { N: 2 ** 14, r: 8, p: 1 } as const;
const Text = Type.String({ pattern: '^[A-Za-z0-9_-]{1,65536}$' });
const File = Compile(
  Type.Object({ format: Type.Literal(FORMAT), salt: Text, iv: Text, tag: Text, sealed: Text }, { additionalProperties: false }),
);
const Content = Compile(Type.Record(Type.String(), Type.String()));

const encode = (bytes: Buffer): string => bytes.toString('base64url');
const decode = (text: string): Buffer => Buffer.from(text, 'base64url');

/** @param random 16 bytes of salt and 12 of nonce, never used before. @returns the text of a key file */
export const sealSeeds = (seeds: Seeds, passphrase: Uint8Array, random: { readonly salt: Buffer; readonly iv: Buffer }): string => {
  const { salt, iv } = random;
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, COST), iv);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(seeds), 'utf8'), cipher.final()]);
  return JSON.stringify({ format: FORMAT, salt: encode(salt), iv: encode(iv), tag: encode(cipher.getAuthTag()), sealed: encode(sealed) });
};

/** @throws CordonError `keys.sealed` when the text is damaged or the passphrase is another: nobody can tell which */
export const openSeeds = (text: string, passphrase: Uint8Array): Seeds => {
  try {
    const file = parseStrictJson(text, { maxBytes: 131_072, maxDepth: 2 });
    if (!File.Check(file)) throw new CordonError('keys.sealed', 'not a key file');
    const decipher = createDecipheriv('aes-256-gcm', scryptSync(passphrase, decode(file.salt), 32, COST), decode(file.iv));
    decipher.setAuthTag(decode(file.tag));
    const seeds = parseStrictJson(Buffer.concat([decipher.update(decode(file.sealed)), decipher.final()]), {
      maxBytes: 65_536,
      maxDepth: 2,
    });
    if (!Content.Check(seeds)) throw new CordonError('keys.sealed', 'not the seeds of keys');
    return seeds;
  } catch (cause) {
    throw new CordonError(
      'keys.sealed',
      'the keys cannot be opened: the file is damaged, or its passphrase is another; restore both from the backup',
      { cause },
    );
  }
};
