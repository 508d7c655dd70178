/** For other features: what was published last, and how far the devices of a change set have come. */
import type { PrismaClient } from '../db/generated/client.ts';
import { findChangeSet, findNewest, readProgress, type StoredChangeSet } from './store.ts';

export { findNewest };

export interface Progress {
  readonly changeSet: string;
  readonly serial: number | null;
  /** In the cohorts that it changed; of those, how many enforce it and how many refused it. */
  readonly devices: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** From published to the newest first acknowledgement, in milliseconds. */
  readonly lastAckMs: number | null;
}

/** A change set never changes: found once, its progress is one query each time. @returns undefined when there is none with this id */
export const followChangeSet = async (prisma: PrismaClient, id: string): Promise<(() => Promise<Progress>) | undefined> => {
  const found: StoredChangeSet | null = await findChangeSet(prisma, id);
  if (found === null) return undefined;
  return async () => ({ changeSet: found.id, serial: found.serial, ...(await readProgress(prisma, found)) });
};
