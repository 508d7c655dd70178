/** Many callers, few runs: what arrives while one run is under way is done by the next, together. */

/**
 * @param run gets all items that arrived since the run before began
 * @returns a function that ends when a run that began after its call has ended, and fails as that run did
 */
export const coalesce = <T>(run: (items: readonly T[]) => Promise<void>): ((items: readonly T[]) => Promise<void>) => {
  let waiting: Set<T> = new Set();
  let next: Promise<void> | undefined;
  let running: Promise<void> = Promise.resolve();
  return (items) => {
    for (const item of items) waiting.add(item);
    next ??= running
      .catch(() => undefined)
      .then(() => {
        const batch = [...waiting];
        waiting = new Set();
        next = undefined;
        running = run(batch);
        return running;
      });
    return next;
  };
};
