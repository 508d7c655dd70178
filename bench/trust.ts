/** What trust costs: `trust.verify` and `trust.content` on a device (bench/trust-verify.ts). */
import type { BenchOptions, Figure } from './figure.ts';
import { verifying } from './trust-verify.ts';

export const run = async ({ rounds, say }: BenchOptions): Promise<readonly Figure[]> => verifying(rounds, say);
