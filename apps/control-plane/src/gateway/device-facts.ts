/** What devices say of themselves when they connect, written where it changed: those that come together in one statement, and nothing for those that say the same again. */
import type { DeviceFacts } from '@cordon/policy/protocol/enrollment.ts';
import type { FastifyBaseLogger } from 'fastify';
import type pg from 'pg';
import { isPoison } from '../db/faults.ts';
import { coalesce } from '../publishing/coalesce.ts';

interface Said {
  readonly device: string;
  readonly facts: DeviceFacts;
}

/** What PostgreSQL's JSON does not hold: NUL, and halves of characters (RFC 8259 §8.2). */
export const isStorable = (facts: DeviceFacts): boolean => !/\\u(?:0000|d[89a-f])/i.test(JSON.stringify(facts));

const WRITE = `
UPDATE device SET facts = n.facts FROM unnest($1::text[], $2::jsonb[]) AS n(device, facts)
WHERE device.id = n.device AND device.facts IS DISTINCT FROM n.facts RETURNING device.id`;

export interface FactsBook {
  /** Never fails: what could not be written is said again at the next hello. */
  hear(device: string, facts: DeviceFacts): void;
}

/** @param onChanged told of devices whose facts are others now */
export const createFactsBook = (pool: pg.Pool, log: FastifyBaseLogger, onChanged: (devices: readonly string[]) => void): FactsBook => {
  const write = async (said: readonly Said[]): Promise<void> => {
    const values = [said.map(({ device }) => device), said.map(({ facts }) => JSON.stringify(facts))];
    try {
      const { rows } = await pool.query<{ id: string }>({ name: 'channel-facts-write', text: WRITE, values });
      if (rows.length > 0) onChanged(rows.map(({ id }) => id));
    } catch (error) {
      if (!isPoison(error) || said.length === 1) throw error;
      const half = Math.ceil(said.length / 2);
      for (const part of [said.slice(0, half), said.slice(half)])
        await write(part).catch((failure: unknown) => log.warn({ err: failure }, 'facts of devices could not be written'));
    }
  };
  const soon = coalesce<Said>((said) => write([...new Map(said.map((one) => [one.device, one])).values()]));
  return {
    hear: (device, facts) =>
      void soon([{ device, facts }]).catch((error: unknown) => log.warn({ err: error, device }, 'facts of devices could not be written')),
  };
};
