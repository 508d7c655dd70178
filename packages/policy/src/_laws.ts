/** How often a law is tried: the environment variable CORDON_LAW_RUNS when set (the nightly run), else 200 times. A helper of tests. */
export const LAW_RUNS = Number(process.env['CORDON_LAW_RUNS'] ?? 200);

/** How long a law that costs milliseconds a run may take, so that the nightly run has the time that it needs. */
export const LAW_TIMEOUT_MS = 60_000 + LAW_RUNS * 50;
