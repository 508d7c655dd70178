/** What devices say of their state, for other features. */
import type { PrismaClient } from '../db/generated/client.ts';
import { findIntegrity } from './store.ts';

export { createTamperingBook, type TamperingBook } from './book.ts';

/** The boot of its machine that a device reported last; null where it never did. */
export const machineBootOf = async (prisma: PrismaClient, device: string): Promise<string | null> =>
  (await findIntegrity(prisma, device))?.machineBoot ?? null;
