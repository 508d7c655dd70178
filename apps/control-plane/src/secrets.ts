/** What only this installation may know, in the state folder and nowhere else. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { writeDurably } from './durable.ts';

export interface Secrets {
  /** Passwords of the embedded database derive from it. */
  readonly database: string;
}

/** Others may pass through (the database's account has its own folder below), nobody else may look. @throws CordonError state.unusable */
export const prepareStateFolder = (stateDir: string): void => {
  try {
    fs.mkdirSync(stateDir, { recursive: true, mode: 0o711 });
    fs.chmodSync(stateDir, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (cause) {
    throw new CordonError(
      'state.unusable',
      `${stateDir} cannot be used as the state folder (${(cause as Error).message}): give it to the account that Cordon runs as, or change CORDON_STATE`,
      { place: stateDir, cause },
    );
  }
};

const parseOrUndefined = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller says what that means
  }
};

/** @throws CordonError state.damaged */
export const loadSecrets = (stateDir: string): Secrets => {
  const file = path.join(stateDir, 'secrets.json');
  if (!fs.existsSync(file)) writeDurably(file, JSON.stringify({ database: randomBytes(32).toString('base64url') }));
  const read = parseOrUndefined(fs.readFileSync(file, 'utf8'));
  if (typeof read === 'object' && read !== null && 'database' in read && typeof read.database === 'string' && read.database.length >= 32)
    return { database: read.database };
  throw new CordonError('state.damaged', `${file} is not what Cordon wrote: restore it from the backup of the state folder`, {
    place: file,
  });
};
