/** Places in a file system, asked about by path. */
import type { OperatingSystem } from '../effective.ts';
import { folded, lookUpwards } from '../match/path.ts';

/** Asks whether a path is one of some places or lies below one, in as many steps as the path has parents. */
export class Places {
  readonly #os: OperatingSystem;
  readonly #at = new Map<string, string>();
  readonly #lengths = new Set<number>();

  constructor(paths: readonly string[], os: OperatingSystem) {
    this.#os = os;
    for (const path of paths) {
      const key = folded(path, os);
      this.#at.set(key, path);
      this.#lengths.add(key.length);
    }
  }

  /**
   * @param strict only a place above the path counts, not the path itself
   * @returns the nearest place that covers the path
   */
  covering(path: string, strict = false): string | undefined {
    if (this.#at.size === 0) return undefined;
    const own = folded(path, this.#os);
    return lookUpwards(own, this.#os, (place) => (strict && place === own ? undefined : this.#at.get(place)), this.#lengths);
  }
}

/** Those that lie in no other of them, once each, in the order of their names. */
export const outermost = (paths: readonly string[], os: OperatingSystem): string[] => {
  const separator = os === 'windows' ? '\\' : '/';
  // With the separator at its end, everything below a place follows it at once.
  const keyed = paths
    .map((path) => ({ path, key: folded(path, os) + separator }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const found: string[] = [];
  let last: string | undefined;
  for (const { path, key } of keyed) {
    if (last !== undefined && key.startsWith(last)) continue;
    last = key;
    found.push(path);
  }
  return found;
};
