/** How often something may happen: a number at once, and then so many a minute. */

export interface Rate {
  readonly burst: number;
  readonly perMinute: number;
}

/** @param clock milliseconds that only grow. @returns whether one more may happen now; it counts when it may */
export const createBucket = ({ burst, perMinute }: Rate, clock: () => number): (() => boolean) => {
  let tokens = burst;
  let last = clock();
  return () => {
    const at = clock();
    tokens = Math.min(burst, tokens + ((at - last) / 60_000) * perMinute);
    last = at;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
};
