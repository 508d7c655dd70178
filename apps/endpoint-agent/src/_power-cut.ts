/**
 * For tests: a machine that loses power at one step of what it writes. Every call that changes a file or a folder is a step; at the chosen one the power goes,
 * nothing after it happens, and what no fsync had reached may be lost: unsynced bytes as far as asked, unsynced names altogether.
 */
import fs from 'node:fs';
import path from 'node:path';
import { vi } from 'vitest';

class PowerCut extends Error {}

/** How much is lost: nothing but what was still to come (a killed process), or also what no fsync had reached (a machine without power). */
export type Loss = 'process' | 'names' | 'bytes' | 'names and bytes';
export const LOSSES: readonly Loss[] = ['process', 'names', 'bytes', 'names and bytes'];

interface Unsynced {
  readonly kind: 'name' | 'bytes';
  readonly place: string;
  undo(): void;
}

/**
 * Does `work` until its step number `at`, counted from 0; half of a write that is cut is there.
 * @returns whether it was cut: when not, it had no such step, and everything was done
 */
export const cutAt = async (at: number, loss: Loss, work: () => Promise<unknown> | void): Promise<boolean> => {
  const real = { open: fs.openSync, write: fs.writeFileSync, sync: fs.fsyncSync, rename: fs.renameSync, remove: fs.rmSync };
  const places = new Map<number, string>();
  let unsynced: Unsynced[] = [];
  let [step, off] = [0, false];
  const next = (half?: () => void): void => {
    if (off) throw new PowerCut();
    if (step === at) {
      half?.();
      off = true;
      throw new PowerCut();
    }
    step += 1;
  };
  const backup = (place: string): (() => void) => {
    if (!fs.existsSync(place)) return () => real.remove(place, { force: true });
    const [before, { mode }] = [fs.readFileSync(place), fs.statSync(place)];
    return () => real.write(place, before, { mode });
  };
  const spies = [
    vi.spyOn(fs, 'openSync').mockImplementation((file, flags, mode) => {
      const place = String(file);
      if (flags === 'r') {
        const handle = real.open(file, flags, mode);
        places.set(handle, place);
        return handle;
      }
      next();
      unsynced.push({ kind: 'name', place, undo: backup(place) });
      const handle = real.open(file, flags, mode);
      places.set(handle, place);
      return handle;
    }),
    vi.spyOn(fs, 'writeFileSync').mockImplementation((file, data, options) => {
      const place = typeof file === 'number' ? (places.get(file) ?? '') : String(file);
      if (typeof data !== 'string') throw new Error('only text is written here');
      const half = data.slice(0, data.length / 2);
      next(() => real.write(file, half, options));
      unsynced.push({ kind: 'bytes', place, undo: () => fs.existsSync(place) && real.write(place, half) });
      real.write(file, data, options);
    }),
    vi.spyOn(fs, 'fsyncSync').mockImplementation((handle) => {
      next();
      real.sync(handle);
      const place = places.get(handle) ?? '';
      unsynced = unsynced.filter(({ kind, place: of }) => (kind === 'bytes' ? of !== place : path.dirname(of) !== place));
    }),
    vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      next();
      const place = String(to);
      const [undoTo, undoFrom] = [backup(place), backup(String(from))];
      unsynced = unsynced.map((one) => (one.kind === 'bytes' && one.place === String(from) ? { ...one, place } : one));
      unsynced.push({ kind: 'name', place, undo: () => (undoTo(), undoFrom()) });
      real.rename(from, to);
    }),
    vi.spyOn(fs, 'rmSync').mockImplementation((file, options) => {
      const place = String(file);
      next();
      unsynced.push({ kind: 'name', place, undo: backup(place) });
      real.remove(file, options);
    }),
  ];
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  if (off && loss !== 'process')
    for (const { kind, undo } of unsynced.toReversed()) if (loss === 'names and bytes' || loss.startsWith(kind)) undo();
  return off;
};
