/** Full jitter: random between nothing and a window that doubles, so that a fleet does not return in step. */

const FIRST_MS = 1000;
const MOST_MS = 300_000;

/** @param attempt failures so far, from 0. @param random in [0, 1). @returns milliseconds to wait */
export const backoff = (attempt: number, random: number): number =>
  Math.floor(random * Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 20)));
