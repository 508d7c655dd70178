/** What one run may hold of its proxy. */
export const LIMITS = {
  connections: 256,
  headerBytes: 16_384,
  headersMs: 15_000,
  idleMs: 600_000,
  dialMs: 20_000,
  helloMs: 30_000,
  lingerMs: 10_000,
} as const;
