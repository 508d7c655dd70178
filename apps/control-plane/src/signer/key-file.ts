/** Private keys at rest: scrypt (RFC 7914) from a passphrase file, AES-256-GCM. Neither ever stands in argv, an environment or a log. */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';

export const ONLINE_ROLES = ['policy', 'checkpoint', 'identity'] as const;
export type OnlineRole = (typeof ONLINE_ROLES)[number];
export type OnlineKeys = Readonly<Record<OnlineRole, KeyPair>>;
type Seeds = Readonly<Record<string, string>>;

const COST = { N: 2 ** 14, r: 8, p: 1 } as const;

const passphraseOf = (file: string): Buffer => {
  const { mode } = fs.statSync(file);
  if ((mode & 0o077) !== 0)
    throw new CordonError('signer.passphrase', `${file} can be read by others: set its mode to 0600`, { place: file });
  return fs.readFileSync(file);
};

/** Writes a file whole or not at all. */
export const writeDurably = (file: string, content: string): void => {
  const next = `${file}.next`;
  const handle = fs.openSync(next, 'w', 0o600);
  try {
    fs.writeSync(handle, content);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(next, file);
  const folder = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
};

export const sealSeeds = (file: string, passphraseFile: string, seeds: Seeds): void => {
  const salt = randomBytes(16);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphraseOf(passphraseFile), salt, 32, COST), iv);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(seeds), 'utf8'), cipher.final()]);
  const encode = (bytes: Buffer): string => bytes.toString('base64url');
  writeDurably(
    file,
    JSON.stringify({
      format: 'cordon-keys/1',
      salt: encode(salt),
      iv: encode(iv),
      tag: encode(cipher.getAuthTag()),
      sealed: encode(sealed),
    }),
  );
};

/** @throws CordonError `signer.keys` when the file is damaged or the passphrase is another */
export const openKeys = (file: string, passphraseFile: string): OnlineKeys => {
  try {
    const { salt = '', iv = '', tag = '', sealed = '' } = JSON.parse(fs.readFileSync(file, 'utf8')) as Seeds;
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', scryptSync(passphraseOf(passphraseFile), bytes(salt), 32, COST), bytes(iv));
    decipher.setAuthTag(bytes(tag));
    const seeds = JSON.parse(Buffer.concat([decipher.update(bytes(sealed)), decipher.final()]).toString('utf8')) as Seeds;
    const key = (role: OnlineRole): KeyPair => keyPairFromSeed(bytes(seeds[role] ?? ''));
    return { policy: key('policy'), checkpoint: key('checkpoint'), identity: key('identity') };
  } catch (cause) {
    if (cause instanceof CordonError && cause.code === 'signer.passphrase') throw cause;
    throw new CordonError(
      'signer.keys',
      `${file} cannot be opened: it is damaged, or its passphrase is another; restore both from the backup`,
      { place: file, cause },
    );
  }
};
