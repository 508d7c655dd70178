/** Requests that wait for the next checkpoint. */
import type { Published } from '../publishing/published.ts';

/** So many wait at once; further ones are answered with what is there. */
const MAX_WAITING = 64;

export interface News {
  /** Comes with the next announcement, after the time, or when the service stops. */
  readonly come: Promise<void>;
  end(): void;
}

export interface Waiting {
  next(mostMs: number): News;
  close(): void;
}

export const createWaiting = (published: Pick<Published, 'subscribe'>): Waiting => {
  const all = new Set<() => void>();
  let isClosed = false;
  const wake = (): void => {
    for (const end of all) end();
  };
  const unsubscribe = published.subscribe(wake);
  return {
    next: (mostMs) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const end = (): void => {
        clearTimeout(timer);
        all.delete(end);
        resolve();
      };
      const timer = setTimeout(end, mostMs);
      if (mostMs <= 0 || isClosed || all.size >= MAX_WAITING) end();
      else all.add(end);
      return { come: promise, end };
    },
    close: () => {
      isClosed = true;
      unsubscribe();
      wake();
    },
  };
};
