/** What trust costs: `trust.publish` on the server (trust-publish.ts); `trust.verify`, `trust.content` and `trust.checkpoint` for a device (trust-verify.ts). */
import type { BenchOptions, Figure } from './figure.ts';
import { publishing } from './trust-publish.ts';
import { verifying } from './trust-verify.ts';

export const run = async (options: BenchOptions): Promise<readonly Figure[]> => [
  ...(await verifying(options.rounds, options.say)),
  ...(await publishing({ ...options, rounds: Math.min(options.rounds, 5) })),
];
