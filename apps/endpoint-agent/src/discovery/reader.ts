/** A machine's files for discovery. What lies there is anybody's: nothing is waited for, only regular files of a bounded size are read, and nothing throws. */
import fs from 'node:fs';
import type { Machine } from '@cordon/policy/agents/installed.ts';

/** Claude Code keeps its history in the file of its settings. */
const MOST_BYTES = 4 * 1024 * 1024;

const quietly = <T>(look: () => T): T | undefined => {
  try {
    return look();
  } catch {
    return undefined; // it is not there, or not for this account
  }
};

const readRegular = (file: string): string | undefined => {
  // Whoever opens a pipe waits for its other end.
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY);
  try {
    const stat = fs.fstatSync(fd);
    return stat.isFile() && stat.size <= MOST_BYTES ? fs.readFileSync(fd, 'utf8') : undefined;
  } finally {
    fs.closeSync(fd);
  }
};

export const thisMachine: Machine = {
  list: (folder) => quietly(() => fs.readdirSync(folder)),
  read: (file) => quietly(() => readRegular(file)),
  resolve: (path) => quietly(() => fs.realpathSync.native(path)),
};
