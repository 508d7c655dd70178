/** A document without the parts that a schema refuses, so that the rest can be judged too: people get all errors at once. */

type Path = readonly (string | number)[];

const isContainer = (value: unknown): value is Record<string, unknown> | unknown[] => typeof value === 'object' && value !== null;

/** A copy that loses parts and still knows where what is left stood. */
export class Prunable {
  readonly value: unknown;
  /** Of each array of the copy: the places of its elements in the original. */
  readonly #places = new WeakMap<unknown[], number[]>();

  constructor(original: unknown) {
    this.value = this.#copy(original);
  }

  #copy(value: unknown): unknown {
    if (Array.isArray(value)) {
      const copy = value.map((item) => this.#copy(item));
      this.#places.set(
        copy,
        value.map((_, index) => index),
      );
      return copy;
    }
    return isContainer(value) ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.#copy(member)])) : value;
  }

  /** A path in the copy as a path in the original. */
  original(path: Path): (string | number)[] {
    let at: unknown = this.value;
    return path.map((part) => {
      if (Array.isArray(at)) {
        const place = this.#places.get(at)?.[Number(part)] ?? Number(part);
        at = at[Number(part)];
        return place;
      }
      at = isContainer(at) ? (at as Record<string, unknown>)[part] : undefined;
      return part;
    });
  }

  /** @param paths in the copy. @returns whether all could be taken out (the whole cannot) */
  remove(paths: readonly Path[]): boolean {
    const found = paths.map((path) => ({
      parent: path
        .slice(0, -1)
        .reduce<unknown>((at, part) => (isContainer(at) ? (at as Record<string, unknown>)[part] : undefined), this.value),
      key: path.at(-1),
    }));
    if (found.some(({ key }) => key === undefined)) return false;
    // Elements from the end, so that the places before them stay.
    for (const { parent, key } of found.toSorted((a, b) => Number(b.key) - Number(a.key))) {
      if (Array.isArray(parent)) {
        parent.splice(Number(key), 1);
        this.#places.get(parent)?.splice(Number(key), 1);
      } else if (isContainer(parent)) delete (parent as Record<string, unknown>)[key ?? ''];
    }
    return true;
  }
}
