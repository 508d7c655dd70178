/**
 * How the signer gets at its keys: sealed in a file under a passphrase, or in a token that the file describes, under its PIN. Passphrase and PIN lie in one private
 * file; neither ever stands in argv, an environment or a log.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import type { Signer } from '@cordon/policy/trust/envelope.ts';
import { readKeyToken } from '@cordon/policy/trust/key-token.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { openSeeds, sealSeeds as seal, type Seeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { writeDurably } from '../durable.ts';
import { tokenKeys } from './pkcs11.ts';

export const ONLINE_ROLES = ['policy', 'checkpoint', 'identity'] as const;
export type OnlineRole = (typeof ONLINE_ROLES)[number];
/** For each role a key that signs, wherever it is kept (`Signer` is all that the signer ever sees of it). */
export type OnlineKeys = Readonly<Record<OnlineRole, Signer>>;

const passphraseOf = (file: string): Buffer => {
  const { mode } = fs.statSync(file);
  if ((mode & 0o077) !== 0)
    throw new CordonError('signer.passphrase', `${file} can be read by others: set its mode to 0600`, { place: file });
  return fs.readFileSync(file);
};

export const sealSeeds = (file: string, passphraseFile: string, seeds: Seeds): void =>
  writeDurably(file, seal(seeds, passphraseOf(passphraseFile), { salt: randomBytes(16), iv: randomBytes(12) }));

/** @throws CordonError `signer.keys` when the file is damaged or the passphrase is another; a token's PIN is seen to be wrong when it first signs (`signer.token`) */
export const openKeys = (file: string, passphraseFile: string): OnlineKeys => {
  try {
    const text = fs.readFileSync(file, 'utf8');
    const token = readKeyToken(parseStrictJson(text, { maxBytes: 131_072, maxDepth: 4 }));
    const passphrase = passphraseOf(passphraseFile);
    if (token !== undefined) return tokenKeys(token, () => passphraseOf(passphraseFile).toString('utf8').trimEnd());
    const seeds = openSeeds(text, passphrase);
    const key = (role: OnlineRole): KeyPair => keyPairFromSeed(Buffer.from(seeds[role] ?? '', 'base64url'));
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
