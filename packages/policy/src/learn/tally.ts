/** Attempts that are the same, counted together with the devices that made them. */
export interface Seen {
  readonly count: number;
  readonly devices: ReadonlySet<string>;
}

export class Tally<T> {
  readonly #entries = new Map<string, { readonly item: T; count: number; readonly devices: Set<string> }>();

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** @param make the item, when the key is new */
  add(key: string, seen: Seen, make: () => T): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { item: make(), count: 0, devices: new Set() };
      this.#entries.set(key, entry);
    }
    entry.count += seen.count;
    for (const device of seen.devices) entry.devices.add(device);
  }

  /** In the order of the keys, whatever the order in which they came. */
  all(): readonly (Seen & { readonly key: string; readonly item: T })[] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, entry]) => ({ key, ...entry }));
  }
}

export const together = (all: readonly Seen[]): Seen => ({
  count: all.reduce((sum, { count }) => sum + count, 0),
  devices: new Set(all.flatMap(({ devices }) => [...devices])),
});
