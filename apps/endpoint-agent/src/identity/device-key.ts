/** The device's key pair: made here, never leaves. A seed in a file that only the daemon's account can read. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { writeDurably } from '../durable.ts';

const fileIn = (stateDir: string): string => path.join(stateDir, 'device-key');

/** @throws CordonError `identity.key` when the file is damaged or open to others */
export const loadDeviceKey = (stateDir: string): KeyPair => {
  const file = fileIn(stateDir);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new CordonError('identity.key', `this device has no key at ${file}: enrol it first`, { place: file });
  if ((stat.mode & 0o077) !== 0)
    throw new CordonError('identity.key', `${file} can be read by others: set its mode to 0600, or enrol again`, { place: file });
  const seed = Buffer.from(fs.readFileSync(file, 'utf8').trim(), 'base64url');
  if (seed.length !== 32)
    throw new CordonError('identity.key', `${file} is damaged: put its copy back, or have this device retired and enrol it again`, {
      place: file,
    });
  return keyPairFromSeed(seed);
};

/** The key that is there, or a new one: a retried enrollment uses the same. */
export const ensureDeviceKey = (stateDir: string): KeyPair => {
  if (!fs.existsSync(fileIn(stateDir))) writeDurably(fileIn(stateDir), randomBytes(32).toString('base64url'));
  return loadDeviceKey(stateDir);
};
