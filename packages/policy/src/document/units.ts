/** Amounts as written in a policy. The schema has checked their form. */

const DURATION_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MEMORY_BYTES: Readonly<Record<string, number>> = { MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `0s`, `90s`, `30m`, `8h`, `2d` in milliseconds. */
export const durationMs = (text: string): number => Number(text.slice(0, -1)) * (DURATION_MS[text.slice(-1)] ?? Number.NaN);

/** `512MiB`, `4GiB` in bytes. */
export const memoryBytes = (text: string): number => Number(text.slice(0, -3)) * (MEMORY_BYTES[text.slice(-3)] ?? Number.NaN);
