/** Files of a ceremony: never overwritten, readable by their owner alone. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

/** @throws CordonError `files.exists`: keys that are there are somebody's */
export const writeNew = (file: string, content: string, mode = 0o600): void => {
  try {
    fs.writeFileSync(file, content, { mode, flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new CordonError('files.exists', `${file} is there already: choose an empty folder; nothing is overwritten`, {
        place: file,
        cause,
      });
    throw cause;
  }
};

const unreadable = (file: string, cause: unknown): CordonError => {
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  return new CordonError('files.missing', `${file} cannot be read (${code === 'ENOENT' ? 'it is not there' : code})`, {
    place: file,
    cause,
  });
};

/** @throws CordonError `files.missing` */
export const readText = (file: string): string => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (cause) {
    throw unreadable(file, cause);
  }
};

/** For reading what may be large. @returns an open file @throws CordonError `files.missing` */
export const openText = (file: string): number => {
  try {
    if (fs.statSync(file).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return fs.openSync(file, 'r');
  } catch (cause) {
    throw unreadable(file, cause);
  }
};

/** A secret's file. @throws CordonError `files.open` when others can read it */
export const readSecret = (file: string): Buffer => {
  const text = readText(file);
  if ((fs.statSync(file).mode & 0o077) !== 0)
    throw new CordonError('files.open', `${file} can be read by others: set its mode to 0600`, { place: file });
  return Buffer.from(text);
};

/**
 * What is made in a folder of its own, or nothing: keys of a change that failed are of no use, and in the way of the next try.
 * @throws CordonError `files.not-empty`
 */
export const inNewFolder = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (fs.readdirSync(folder).length > 0)
    throw new CordonError('files.not-empty', `${folder} is not empty: choose a new folder for the keys`, { place: folder });
  try {
    return await work();
  } catch (error) {
    for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name), { recursive: true });
    throw error;
  }
};
