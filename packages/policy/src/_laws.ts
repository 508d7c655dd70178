/** How often a law is tried: the environment variable CORDON_LAW_RUNS when set (the nightly run), else 200 times. A helper of tests. */
export const LAW_RUNS = Number(process.env['CORDON_LAW_RUNS'] ?? 200);
