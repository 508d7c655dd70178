/** Files of the state folder: private, and written whole or not at all. */
import fs from 'node:fs';
import path from 'node:path';

/** Temp file, fsync, rename, fsync of the folder: it survives a power cut once this returns. */
export const writeDurably = (file: string, content: string | Uint8Array): void => {
  const next = `${file}.next`;
  const handle = fs.openSync(next, 'w', 0o600);
  try {
    fs.writeFileSync(handle, content); // all of it: a single write stops short where the disk is full
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
