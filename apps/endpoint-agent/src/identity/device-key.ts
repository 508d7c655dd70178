/** The device's key pair: made here, never leaves. A seed, and when it was made, in a file that only the daemon's account can read. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import { removeDurably, writeDurably } from '../durable.ts';

const fileIn = (stateDir: string): string => path.join(stateDir, 'device-key');
/** The key that comes after it, from before it is proved until it is in force. */
const nextFileIn = (stateDir: string): string => path.join(stateDir, 'device-key-next');

export interface DeviceKey extends KeyPair {
  readonly madeAt: Date;
}

/** The seed, since there is rotation the time, and what tells a changed file from a written one. */
const CONTENT = /^([A-Za-z0-9_-]{43})(?:\n(\d{4}-\d\d-\d\dT[0-9:.]{12}Z)(?:\n([0-9a-f]{16}))?)?$/;
const checkOf = (seed: string, made: string): string => sha256Hex(`${seed}\n${made}`).slice(0, 16);

const read = (file: string): DeviceKey => {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new CordonError('identity.key', `this device has no key at ${file}: enrol it first`, { place: file });
  if ((stat.mode & 0o077) !== 0)
    throw new CordonError('identity.key', `${file} can be read by others: set its mode to 0600, or enrol again`, { place: file });
  const [, text = '', made, check] = CONTENT.exec(fs.readFileSync(file, 'utf8').trim()) ?? [];
  const seed = Buffer.from(text, 'base64url');
  const madeAt = made === undefined ? stat.mtime : new Date(made);
  const isChanged = check !== undefined && check !== checkOf(text, made ?? '');
  if (seed.length !== 32 || Number.isNaN(madeAt.getTime()) || isChanged)
    throw new CordonError('identity.key', `${file} is damaged: put its copy back, or have this device retired and enrol it again`, {
      place: file,
    });
  return { ...keyPairFromSeed(seed), madeAt };
};

const make = (file: string, now: Date): DeviceKey => {
  const [seed, made] = [randomBytes(32).toString('base64url'), now.toISOString()];
  if (!fs.existsSync(file)) writeDurably(file, `${seed}\n${made}\n${checkOf(seed, made)}`);
  return read(file);
};

/** @throws CordonError `identity.key` when the file is damaged or open to others */
export const loadDeviceKey = (stateDir: string): DeviceKey => read(fileIn(stateDir));

/** The key that is there, or a new one: a retried enrollment uses the same. */
export const ensureDeviceKey = (stateDir: string, now: Date): DeviceKey => make(fileIn(stateDir), now);

/** The next key that is there, or a new one: a rotation that was cut off goes on with the same. */
export const ensureNextKey = (stateDir: string, now: Date): DeviceKey => make(nextFileIn(stateDir), now);

/** Whether a rotation was begun and has not ended. */
export const hasNextKey = (stateDir: string): boolean => fs.existsSync(nextFileIn(stateDir));

/** No rotation is under way any more. */
export const dropNextKey = (stateDir: string): void => removeDurably(nextFileIn(stateDir));

/** The next key is the key from here on. Cut off anywhere in between, both files hold it, or the next one still does. */
export const adoptNextKey = (stateDir: string): DeviceKey => {
  writeDurably(fileIn(stateDir), fs.readFileSync(nextFileIn(stateDir), 'utf8'));
  dropNextKey(stateDir);
  return loadDeviceKey(stateDir);
};
