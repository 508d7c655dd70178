/** One private key in a file of its own, sealed under a passphrase that lies beside it until its keeper takes it away. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import type { DeviceJwk } from '@cordon/policy/protocol/enrollment.ts';
import { readKeyToken } from '@cordon/policy/trust/key-token.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { openSeeds, sealSeeds, type Seeds } from '@cordon/policy/trust/sealed-seeds.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import { readSecret, readText, writeNew } from '../files.ts';

const random = (): { salt: Buffer; iv: Buffer } => ({ salt: randomBytes(16), iv: randomBytes(12) });

/** `FILE` and `FILE.passphrase`. */
export const passphraseFile = (file: string): string => `${file}.passphrase`;

const writeSealed = (file: string, seeds: Seeds, secretFile: string): void => {
  const passphrase = randomBytes(24).toString('base64url');
  writeNew(secretFile, passphrase);
  writeNew(file, sealSeeds(seeds, Buffer.from(passphrase), random()));
};

/** Makes a key and writes it. @returns its public half and what signs with it */
export const makeKey = (file: string): KeyPair => {
  const seed = randomBytes(32);
  writeSealed(file, { key: seed.toString('base64url') }, passphraseFile(file));
  return keyPairFromSeed(seed);
};

/** Keys of one role, each for another person: `ROLE.key`, or `ROLE-1.key` and on. */
export const makeKeys = (folder: string, role: string, number: number): KeyPair[] =>
  Array.from({ length: number }, (_, i) => makeKey(path.join(folder, number === 1 ? `${role}.key` : `${role}-${i + 1}.key`)));

/** @param secretFile where its passphrase lies: its keeper may have taken it elsewhere @throws CordonError `keys.sealed`, `files.*` */
export const openKeyWith = (file: string, secretFile: string): KeyPair => {
  const { key } = openSeeds(readText(file), readSecret(secretFile));
  if (key === undefined) throw new CordonError('keys.sealed', `${file} does not hold a key of a ceremony`, { place: file });
  return keyPairFromSeed(Buffer.from(key, 'base64url'));
};

/** With the passphrase beside it. @throws CordonError `keys.sealed`, `files.*` */
export const openKey = (file: string): KeyPair => openKeyWith(file, passphraseFile(file));

export const ONLINE_ROLES = ['policy', 'checkpoint', 'identity'] as const;
type OnlineRole = (typeof ONLINE_ROLES)[number];

/** The public halves of the server's keys, by role. */
export type OnlineKeys = Readonly<Record<OnlineRole, { readonly jwk: DeviceJwk }>>;

/** The three keys of the server's signer, in the one file that it reads. */
export const makeOnlineKeys = (folder: string): OnlineKeys => {
  const seeds = { policy: randomBytes(32), checkpoint: randomBytes(32), identity: randomBytes(32) };
  writeSealed(
    path.join(folder, 'online-keys.json'),
    {
      policy: seeds.policy.toString('base64url'),
      checkpoint: seeds.checkpoint.toString('base64url'),
      identity: seeds.identity.toString('base64url'),
    },
    path.join(folder, 'passphrase'),
  );
  return {
    policy: keyPairFromSeed(seeds.policy),
    checkpoint: keyPairFromSeed(seeds.checkpoint),
    identity: keyPairFromSeed(seeds.identity),
  };
};

/**
 * Keys that a token made and keeps: its description takes the place of sealed keys in the server's folder.
 * @param file what `cordonctl keys token` wrote
 * @throws CordonError `keys.token`
 */
export const takeOnlineKeys = (file: string, folder: string): OnlineKeys => {
  const text = readText(file);
  const token = readKeyToken(parseStrictJson(text, { maxBytes: 131_072, maxDepth: 4 }));
  if (token === undefined)
    throw new CordonError('keys.token', `${file} does not describe a token: cordonctl keys token writes such a file`, { place: file });
  writeNew(path.join(folder, 'online-keys.json'), text);
  return token.keys;
};
