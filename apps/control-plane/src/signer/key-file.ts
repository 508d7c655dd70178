/** The signer's keys on disk, sealed under a passphrase file. Neither ever stands in argv, an environment or a log. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { openSeeds, sealSeeds as seal, type Seeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { writeDurably } from '../durable.ts';

export const ONLINE_ROLES = ['policy', 'checkpoint', 'identity'] as const;
export type OnlineRole = (typeof ONLINE_ROLES)[number];
export type OnlineKeys = Readonly<Record<OnlineRole, KeyPair>>;

const passphraseOf = (file: string): Buffer => {
  const { mode } = fs.statSync(file);
  if ((mode & 0o077) !== 0)
    throw new CordonError('signer.passphrase', `${file} can be read by others: set its mode to 0600`, { place: file });
  return fs.readFileSync(file);
};

export const sealSeeds = (file: string, passphraseFile: string, seeds: Seeds): void =>
  writeDurably(file, seal(seeds, passphraseOf(passphraseFile), { salt: randomBytes(16), iv: randomBytes(12) }));

/** @throws CordonError `signer.keys` when the file is damaged or the passphrase is another */
export const openKeys = (file: string, passphraseFile: string): OnlineKeys => {
  try {
    const seeds = openSeeds(fs.readFileSync(file, 'utf8'), passphraseOf(passphraseFile));
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
