/** Places in a file system, asked about by path. */
import type { OperatingSystem } from '../effective.ts';
import { folded, lookUpwards } from '../match/path.ts';

/** Places of one kind; asks whether a path is one of them or lies below one in as many steps as the path has parents. */
export class Places<T> {
  readonly #os: OperatingSystem;
  readonly #at = new Map<string, T>();
  readonly #lengths = new Set<number>();

  constructor(os: OperatingSystem, places: Iterable<readonly [path: string, value: T]>) {
    this.#os = os;
    for (const [path, value] of places) {
      const key = folded(path, os);
      if (this.#at.has(key)) continue;
      this.#at.set(key, value);
      this.#lengths.add(key.length);
    }
  }

  /**
   * @param strict only a place above the path counts, not the path itself
   * @returns what is kept for the nearest place that covers the path
   */
  covering(path: string, strict = false): T | undefined {
    if (this.#at.size === 0) return undefined;
    const own = folded(path, this.#os);
    return lookUpwards(own, this.#os, (place) => (strict && place === own ? undefined : this.#at.get(place)), this.#lengths);
  }
}

/** Each path kept for itself. */
export const placesOf = (paths: readonly string[], os: OperatingSystem): Places<string> =>
  new Places(
    os,
    paths.map((path) => [path, path]),
  );

/** Those that lie in no other of them, once each. */
export const outermost = (paths: readonly string[], os: OperatingSystem): string[] => {
  const all = placesOf(paths, os);
  return [...new Set(paths)].filter((path) => all.covering(path, true) === undefined && all.covering(path) === path);
};
