/** The lines of sessions, for who restores a database. */
import type { Tx } from '../context.ts';

/**
 * After a restore every device is ahead of what is kept of it, which would look like a fleet that was put back. The root says that there was one, by a new
 * epoch: lines begin anew where each device is. Numbers stay, so nothing that was used before the backup opens anything.
 */
export const forgetLines = async (tx: Tx): Promise<void> => {
  await tx.$executeRaw`UPDATE device_join SET mark = '', displaced = '{}' WHERE mark <> ''`;
};
