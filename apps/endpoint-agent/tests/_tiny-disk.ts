/** A file system that is soon full: a real one of a few pages where this is root, else none. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { IS_ROOT } from './_world.ts';

export interface TinyDisk {
  readonly folder: string;
  /** Leaves about so many bytes. */
  fill(left: number): void;
  free(): void;
  /** Takes nothing any more, or does again. */
  readOnly(is: boolean): void;
  remove(): void;
}

/** @returns undefined where nothing can be mounted */
export const mountTinyDisk = (bytes: number): TinyDisk | undefined => {
  if (!IS_ROOT) return undefined;
  const folder = fs.mkdtempSync('/var/tmp/cordon-tiny-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder]);
  const ballast = path.join(folder, 'ballast');
  return {
    folder,
    fill: (left) => {
      const { bavail, bsize } = fs.statfsSync(folder);
      try {
        fs.writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - left)));
      } catch (error) {
        // Somebody else has just written too: what was left is taken.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => fs.rmSync(ballast, { force: true }),
    readOnly: (is) => void execFileSync('mount', ['-o', `remount,${is ? 'ro' : 'rw'}`, folder]),
    remove: () => {
      execFileSync('umount', [folder]);
      fs.rmdirSync(folder);
    },
  };
};
