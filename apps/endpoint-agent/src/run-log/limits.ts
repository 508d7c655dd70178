/** How much is remembered. */

/** Runs of one account. */
export const MOST_RUNS = 200;
/** Entries of one run, its end excepted, and their bytes. */
export const MOST_ENTRIES = 400;
export const MOST_BYTES = 98_304;
/** Of `cordon runs` at once: each is read for it. */
export const MOST_LISTED = 200;
