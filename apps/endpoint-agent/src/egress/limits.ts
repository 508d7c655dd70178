/** What one run may hold of its proxy. */
export const LIMITS = {
  connections: 256,
  headerBytes: 16_384,
  headersMs: 15_000,
  idleMs: 600_000,
  dialMs: 20_000,
  helloMs: 30_000,
  lingerMs: 10_000,
  /** Lookups that wait for an answer at the same time. */
  lookups: 8,
  /** Distinct names that only a wildcard allows: each of them is told to a name server, and could spell out a secret. */
  names: 500,
  /** Decisions that are on their way to the daemon, of all runs: more are counted, and not told one by one. */
  untold: 5000,
  /** For how long the addresses of this machine's interfaces are taken as known. */
  ownMs: 2000,
} as const;
