/** Where inventories are kept: rows of the last frame of each device, and what was ever seen outside containment. */
import type { InventoryFrame } from '@cordon/policy/protocol/inventory.ts';
import type pg from 'pg';
import type { InventoryAgent, InventoryServer, InventorySighting, Prisma, PrismaClient } from '../db/generated/client.ts';
import { sightingsOf } from './inventory.ts';

/** Of one device; the oldest go first. */
const MOST_SIGHTINGS = 256;
const KEEP_DAYS = 90;

/** Those of devices that are there, and have another one stored. */
export const differing = async (pool: pg.Pool, frames: ReadonlyMap<string, InventoryFrame>): Promise<Map<string, InventoryFrame>> => {
  const { rows } = await pool.query<{ id: string; digest: string | null }>({
    name: 'inventory-known',
    text: 'SELECT d.id, i.digest FROM device d LEFT JOIN device_inventory i ON i.device_id = d.id WHERE d.id = ANY($1::text[])',
    values: [[...frames.keys()]],
  });
  return new Map(
    rows.flatMap(({ id, digest }) => {
      const frame = frames.get(id);
      return frame === undefined || frame.digest === digest ? [] : [[id, frame] as const];
    }),
  );
};

const HEAD = `
INSERT INTO device_inventory (device_id, digest, received_at, left_out)
SELECT n.device, n.digest, $4, n.left_out FROM unnest($1::text[], $2::text[], $3::int[]) AS n(device, digest, left_out)
ON CONFLICT (device_id) DO UPDATE SET digest = excluded.digest, received_at = excluded.received_at, left_out = excluded.left_out`;
const AGENTS = `
INSERT INTO inventory_agent (device_id, n, agent, os_user, source, place, version, running)
SELECT d.device, a.n, a.item->>'agent', a.item->>'osUser', a.item->>'source', a.item->>'place', a.item->>'version', a.item->>'running'
FROM unnest($1::text[], $2::jsonb[]) AS d(device, list), jsonb_array_elements(d.list) WITH ORDINALITY AS a(item, n)`;
const SERVERS = `
INSERT INTO inventory_server (device_id, n, agent, os_user, name, scope, transport, program, file)
SELECT d.device, s.n, s.item->>'agent', s.item->>'osUser', s.item->>'name', s.item->>'scope', s.item->>'transport', s.item->>'program', s.item->>'file'
FROM unnest($1::text[], $2::jsonb[]) AS d(device, list), jsonb_array_elements(d.list) WITH ORDINALITY AS s(item, n)`;
const SIGHTINGS = `
INSERT INTO inventory_sighting (device_id, agent, os_user, program, evidence, action, first_at, last_at, times, running)
SELECT d.device, s.item->>'agent', s.item->>'osUser', s.item->>'program', s.item->>'evidence', s.item->>'action', (s.item->>'firstAt')::timestamptz,
  (s.item->>'lastAt')::timestamptz, (s.item->>'times')::int, (s.item->>'running')::boolean
FROM unnest($1::text[], $2::jsonb[]) AS d(device, list), jsonb_array_elements(d.list) AS s(item)
ON CONFLICT (device_id, agent, os_user, program) DO UPDATE SET evidence = excluded.evidence, action = excluded.action,
  first_at = least(inventory_sighting.first_at, excluded.first_at), last_at = greatest(inventory_sighting.last_at, excluded.last_at),
  times = excluded.times, running = excluded.running`;
const PRUNE = `
DELETE FROM inventory_sighting s USING (
  SELECT device_id, agent, os_user, program, last_at, row_number() OVER (PARTITION BY device_id ORDER BY running DESC, last_at DESC) AS place
  FROM inventory_sighting WHERE device_id = ANY($1::text[])
) o WHERE (s.device_id, s.agent, s.os_user, s.program) = (o.device_id, o.agent, o.os_user, o.program) AND (o.place > ${MOST_SIGHTINGS} OR o.last_at < $2)`;

/** All or nothing. @param said in the order of the devices' ids, each once */
export const writeInventories = async (
  pool: pg.Pool,
  said: readonly { readonly device: string; readonly frame: InventoryFrame }[],
  at: Date,
): Promise<void> => {
  const devices = said.map(({ device }) => device);
  const lists = (of: (frame: InventoryFrame) => readonly object[]): string[] => said.map(({ frame }) => JSON.stringify(of(frame)));
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    // First: who writes the same devices at another replica waits here.
    await client.query(HEAD, [devices, said.map(({ frame }) => frame.digest), said.map(({ frame }) => frame.inventory.leftOut), at]);
    for (const table of ['inventory_agent', 'inventory_server'])
      await client.query(`DELETE FROM ${table} WHERE device_id = ANY($1::text[])`, [devices]);
    await client.query(AGENTS, [devices, lists(({ inventory }) => inventory.agents)]);
    await client.query(SERVERS, [devices, lists(({ inventory }) => inventory.servers)]);
    await client.query('UPDATE inventory_sighting SET running = false WHERE device_id = ANY($1::text[]) AND running', [devices]);
    await client.query(SIGHTINGS, [devices, lists(({ inventory }) => sightingsOf(inventory, at))]);
    await client.query(PRUNE, [devices, new Date(at.getTime() - KEEP_DAYS * 86_400_000)]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch((cause: unknown) => {
      broken = cause instanceof Error ? cause : new Error(String(cause));
    });
    throw error;
  } finally {
    client.release(broken);
  }
};

/** In the order of devices, after the row that a cursor names. */
export interface After {
  readonly device: string;
  readonly n: number;
}

/** Devices that ended are no part of the fleet; what they said last is still shown of each of them. */
const OF_THE_FLEET = { device: { revokedAt: null } };

const beyond = (after: After | undefined) =>
  after === undefined ? {} : { OR: [{ deviceId: { gt: after.device } }, { deviceId: after.device, n: { gt: after.n } }] };

export const listAgents = (
  prisma: PrismaClient,
  where: Prisma.InventoryAgentWhereInput,
  after: After | undefined,
  take: number,
): Promise<InventoryAgent[]> =>
  prisma.inventoryAgent.findMany({
    where: { ...OF_THE_FLEET, ...where, ...beyond(after) },
    orderBy: [{ deviceId: 'asc' }, { n: 'asc' }],
    take,
  });

export const listServers = (
  prisma: PrismaClient,
  where: Prisma.InventoryServerWhereInput,
  after: After | undefined,
  take: number,
): Promise<InventoryServer[]> =>
  prisma.inventoryServer.findMany({
    where: { ...OF_THE_FLEET, ...where, ...beyond(after) },
    orderBy: [{ deviceId: 'asc' }, { n: 'asc' }],
    take,
  });

/** What a sighting is told by. */
export type SightingKey = Pick<InventorySighting, 'lastAt' | 'deviceId' | 'agent' | 'osUser' | 'program'>;

/** The last seen first. */
export const listSightings = (
  prisma: PrismaClient,
  where: Prisma.InventorySightingWhereInput,
  after: SightingKey | undefined,
  take: number,
): Promise<InventorySighting[]> => {
  const key = ['deviceId', 'agent', 'osUser', 'program'] as const;
  return prisma.inventorySighting.findMany({
    where: {
      ...where,
      ...(after !== undefined && {
        OR: [
          { lastAt: { lt: after.lastAt } },
          ...key.map((column, i) => ({
            lastAt: after.lastAt,
            ...Object.fromEntries(key.slice(0, i).map((before) => [before, after[before]])),
            [column]: { gt: after[column] },
          })),
        ],
      }),
    },
    orderBy: [{ lastAt: 'desc' }, ...key.map((column) => ({ [column]: 'asc' as const }))],
    take,
  });
};

export const findHead = (prisma: PrismaClient, device: string): Promise<{ readonly receivedAt: Date; readonly leftOut: number } | null> =>
  prisma.deviceInventory.findUnique({ where: { deviceId: device } });

/** How many devices have each agent, and on how many one runs outside containment now. */
export const countAgents = async (
  pool: pg.Pool,
): Promise<readonly { readonly agent: string; readonly devices: number; readonly uncontained: number }[]> => {
  const { rows } = await pool.query<{ agent: string; devices: number; uncontained: number }>({
    name: 'inventory-counts',
    text: `SELECT agent, count(DISTINCT device_id)::int AS devices, count(DISTINCT device_id) FILTER (WHERE running = 'uncontained')::int AS uncontained
      FROM inventory_agent a JOIN device d ON d.id = a.device_id WHERE d.revoked_at IS NULL GROUP BY agent ORDER BY agent`,
  });
  return rows;
};
