/** What a device's inventory becomes before it is stored. Pure: what devices say is theirs, and bounded by its schema; times are made believable. */
import type { Inventory, InventoryFrame, Sighting } from '@cordon/policy/protocol/inventory.ts';

/** A device's clock may be wrong; what it says of times is kept between these. */
const OLDEST_MS = 400 * 86_400_000;
const NEWEST_MS = 86_400_000;

/** @returns the time as it was said, or when it was received where that cannot be */
export const believable = (said: string, received: Date): Date => {
  const at = Date.parse(said);
  const now = received.getTime();
  return at >= now - OLDEST_MS && at <= now + NEWEST_MS ? new Date(at) : received;
};

export type StoredSighting = Omit<Sighting, 'firstAt' | 'lastAt'> & { readonly firstAt: Date; readonly lastAt: Date };

/** One row for each agent, account and program, the last that was said: two of a kind would be one row. */
export const sightingsOf = ({ uncontained }: Inventory, received: Date): StoredSighting[] => {
  const rows = uncontained.map((one): StoredSighting => {
    const [firstAt, lastAt] = [believable(one.firstAt, received), believable(one.lastAt, received)];
    return { ...one, firstAt: firstAt > lastAt ? lastAt : firstAt, lastAt };
  });
  return [...new Map(rows.map((row) => [JSON.stringify([row.agent, row.osUser, row.program]), row])).values()];
};

/** PostgreSQL's text has no NUL. */
export const isStorable = ({ inventory: { agents, servers, uncontained } }: InventoryFrame): boolean =>
  [...agents, ...servers, ...uncontained].every((one) =>
    Object.values(one).every((value) => typeof value !== 'string' || !value.includes('\0')),
  );
