/**
 * How many events could not be kept and were not told yet. In a small file that is made ahead and written over in place, so that the count holds on a full disk and after
 * a kill. Before the event that tells it is written, its time is noted here: a kill in between shows by whether that event is there.
 */
import fs from 'node:fs';
import path from 'node:path';

export const LOST_FILE = 'lost';
const WIDTH = 64;

export interface LostCount {
  readonly count: () => number;
  add(): void;
  /** The next event written tells the count, and has this time. */
  telling(at: string): void;
  told(): void;
}

/** @param isThere whether the event of that time, which tells a count, was written */
export const openLostCount = (folder: string, isThere: (at: string) => boolean): LostCount => {
  const file = path.join(folder, LOST_FILE);
  let count = 0;
  /** A disk that is gone takes the count on it along; the one in memory goes on. */
  const write = (at: string, flags = fs.constants.O_RDWR): void => {
    try {
      const handle = fs.openSync(file, flags, 0o600);
      try {
        fs.writeSync(handle, `${count} ${at}\n`.padEnd(WIDTH), 0);
      } finally {
        fs.closeSync(handle);
      }
    } catch {
      return; // as above
    }
  };
  try {
    const [, number = '0', at = ''] = /^(\d{1,15}) (\S*)\n/.exec(fs.readFileSync(file, 'utf8')) ?? [];
    count = at !== '' && isThere(at) ? 0 : Number(number);
  } catch {
    count = 0; // nothing was ever lost, or it cannot be read
  }
  write('', fs.constants.O_RDWR | fs.constants.O_CREAT);
  return {
    count: () => count,
    add: () => {
      count += 1;
      write('');
    },
    telling: (at) => write(at),
    told: () => {
      count = 0;
      write('');
    },
  };
};
