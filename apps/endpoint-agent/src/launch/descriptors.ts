/** Descriptors: what a parent left open must not reach a workload, and what a workload is given must be nobody else's. */
import fs from 'node:fs';
import path from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes every descriptor above 2 that would survive an exec. Node's own are close-on-exec; anything else came from whoever started this process.
 * Called once, at the start of the daemon. @returns the descriptors that were closed
 */
export const closeInherited = (): number[] =>
  fs
    .readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2)
    .filter((fd) => {
      try {
        const flags = /^flags:\s+(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
        if (flags === undefined || (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0) return false;
        fs.closeSync(fd);
        return true;
      } catch {
        return false; // the folder's own descriptor, gone by now
      }
    });

/** A private descriptor for text that is known later. */
export interface LaterDescriptor {
  /** To be passed on and closed here. */
  readonly given: number;
  /** Writes the text, once; only this account (this process's own when undefined) can read it from then on. */
  fill(text: string, owner: Owner | undefined): void;
  /** Gives it up, filled or not. */
  close(): void;
}

/** @param folder a folder that only the daemon can enter */
export const laterDescriptor = (folder: string, name: string): LaterDescriptor => {
  const file = path.join(folder, name);
  let open = true;
  const writer = fs.openSync(file, 'wx', 0o400);
  const close = (): void => {
    if (open) fs.closeSync(writer);
    open = false;
  };
  try {
    return {
      given: fs.openSync(file, 'r'),
      fill: (text, owner) => {
        fs.writeFileSync(writer, text);
        if (owner !== undefined) fs.fchownSync(writer, owner.uid, owner.gid);
        close();
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  } finally {
    fs.unlinkSync(file);
  }
};

/**
 * A private descriptor for text: the file is gone from its folder before anyone else could open it. (A Node pipe is a socket, which /proc/self/fd cannot open again.)
 * @param folder a folder that only the daemon can enter
 */
export const privateDescriptor = (folder: string, name: string, text: string, owner: Owner | undefined): number => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, text, { mode: 0o400, flag: 'wx' });
  try {
    if (owner !== undefined) fs.chownSync(file, owner.uid, owner.gid);
    return fs.openSync(file, 'r');
  } finally {
    fs.unlinkSync(file);
  }
};
