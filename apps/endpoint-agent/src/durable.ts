/** Files that are written whole or not at all, and survive a power cut once this returns. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';

const syncFolderOf = (file: string): void => {
  const folder = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
};

/** Temp file, fsync, rename, fsync of the folder. @throws CordonError `state.disk-full`, or what the system says */
export const writeDurably = (file: string, content: string): void => {
  const next = `${file}.next`;
  try {
    const handle = fs.openSync(next, 'w', 0o600);
    try {
      fs.writeFileSync(handle, content); // all of it: a single write stops short where the disk is full
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
    fs.renameSync(next, file);
    syncFolderOf(file);
  } catch (cause) {
    fs.rmSync(next, { force: true });
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC')
      throw new CordonError(
        'state.disk-full',
        `${file} cannot be written: the disk is full. Free some space; what was in force stays in force`,
        { place: file, retryable: true, cause },
      );
    throw cause;
  }
};

/** Removes a file, whether it is there or not. */
export const removeDurably = (file: string): void => {
  fs.rmSync(file, { force: true });
  syncFolderOf(file);
};

export const readJson = (file: string): unknown => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined; // missing or damaged: the caller decides what either means
  }
};
