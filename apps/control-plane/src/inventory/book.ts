/** Takes inventories as they come, all that wait at once, and writes those that are not what is stored already. */
import type { InventoryFrame } from '@cordon/policy/protocol/inventory.ts';
import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { isPoison } from '../db/faults.ts';
import { coalesce } from '../publishing/coalesce.ts';
import { differing, writeInventories } from './store.ts';

/** In one transaction: each may be hundreds of rows. */
const CHUNK = 50;

interface Said {
  readonly device: string;
  readonly frame: InventoryFrame;
}

export interface InventoryBook {
  /** Never fails: what could not be written is said again at the next connection. */
  hear(device: string, frame: InventoryFrame): void;
}

export const createInventoryBook = (pool: pg.Pool, clock: () => Date, log: FastifyBaseLogger): InventoryBook => {
  /** One that the database refuses does not hold up the others: it is found by halving, and left out. */
  const write = async (said: readonly Said[]): Promise<void> => {
    try {
      await writeInventories(pool, said, clock());
    } catch (error) {
      if (!isPoison(error) || said.length === 1) throw error;
      const half = Math.ceil(said.length / 2);
      for (const part of [said.slice(0, half), said.slice(half)])
        await write(part).catch((failure: unknown) => log.warn({ err: failure }, 'inventories of devices could not be written'));
    }
  };
  const soon = coalesce<Said>(async (all) => {
    const newest = new Map(all.map((one) => [one.device, one.frame]));
    const changed = [...(await differing(pool, newest))].sort(([a], [b]) => (a < b ? -1 : 1));
    for (let from = 0; from < changed.length; from += CHUNK)
      await write(changed.slice(from, from + CHUNK).map(([device, frame]) => ({ device, frame })));
  });
  return {
    hear: (device, frame) =>
      void soon([{ device, frame }]).catch((error: unknown) => log.warn({ err: error, device }, 'an inventory could not be written')),
  };
};
