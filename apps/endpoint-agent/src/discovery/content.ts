/** Copies of agents' programs, whatever they are called now: by content, and only where the size is that of a known one, so that next to nothing is read. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';

export interface KnownProgram {
  readonly agent: string;
  readonly file: string;
  /** Whose scan named it: it is read only if that account could read it. */
  readonly uid: number;
}

export interface Contents {
  /** Replaces what was known. */
  learn(programs: readonly KnownProgram[]): Promise<void>;
  /** @param file to be opened: `/proc/PID/exe` or a script. @returns whose program it is a copy of */
  match(file: string): Promise<string | undefined>;
}

/** Below that a program is a line or two that starts another: many are alike. */
const LEAST_BYTES = 4096;
const MOST_REMEMBERED = 64;

const open = (file: string): Promise<fs.promises.FileHandle> =>
  fs.promises.open(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY);

const isReadableBy = ({ uid, mode }: fs.Stats, account: number): boolean => account === 0 || uid === account || (mode & 0o004) !== 0;

export const createContents = (): Contents => {
  let bySize = new Map<number, KnownProgram[]>();
  /** By what a file is and when it changed. */
  const hashes = new Map<string, string>();

  /** SHA-256 of a regular file. */
  const hashOf = async (file: string, allowed: (stat: fs.Stats) => boolean): Promise<string | undefined> => {
    const handle = await open(file);
    try {
      const stat = await handle.stat();
      if (!stat.isFile() || !allowed(stat)) return undefined;
      const key = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}`;
      const known = hashes.get(key);
      if (known !== undefined) return known;
      const hash = createHash('sha256');
      await pipeline(handle.createReadStream({ autoClose: false }), hash);
      const digest = hash.digest('hex');
      if (hashes.size >= MOST_REMEMBERED) hashes.clear();
      hashes.set(key, digest);
      return digest;
    } finally {
      await handle.close();
    }
  };
  return {
    learn: async (programs) => {
      const next = new Map<number, KnownProgram[]>();
      for (const program of programs) {
        const stat = await fs.promises.stat(program.file).catch(() => undefined); // gone since it was listed
        if (stat?.isFile() === true && stat.size >= LEAST_BYTES) next.set(stat.size, [...(next.get(stat.size) ?? []), program]);
      }
      bySize = next;
    },
    match: async (file) => {
      if (bySize.size === 0) return undefined;
      try {
        const { size } = await fs.promises.stat(file);
        const candidates = bySize.get(size) ?? [];
        if (candidates.length === 0) return undefined;
        const digest = await hashOf(file, () => true);
        for (const { agent, file: known, uid } of candidates)
          if (digest !== undefined && digest === (await hashOf(known, (stat) => isReadableBy(stat, uid)).catch(() => undefined)))
            return agent;
      } catch {
        return undefined; // it has ended, or is gone
      }
      return undefined;
    },
  };
};
