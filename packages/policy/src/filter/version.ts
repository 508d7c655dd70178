/** Versions as they are ordered: by their leading numbers, whatever follows these; `1.2` is `1.2.0`. */

/** @returns the numbers, without zeros at the end; undefined where there are none, or one is longer than nine digits */
export const numbersOf = (version: string): readonly number[] | undefined => {
  const [leading] = /^\d+(?:\.\d+)*/.exec(version) ?? [];
  if (leading === undefined) return undefined;
  const parts = leading.replace(/(?:\.0+)+$/, '').split('.');
  return parts.length > 16 || parts.some((part) => part.length > 9) ? undefined : parts.map(Number);
};

/** @returns less than 0, 0 or more, as for sorting */
export const compareNumbers = (a: readonly number[], b: readonly number[]): number => {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    // Where one has ended, the other goes on with a number, and is the higher one.
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
};
