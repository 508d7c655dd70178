/** What of an inventory is shown, and the cursors of its lists. */
import { Type, type Static, type TSchema } from 'typebox';
import { InstalledAgent, McpServer } from '@cordon/policy/protocol/inventory.ts';
import type { InventoryAgent, InventoryServer, InventorySighting } from '../db/generated/client.ts';
import { badRequest } from '../errors.ts';
import type { After, SightingKey } from './store.ts';

const closed = { additionalProperties: false } as const;
const texts = (names: readonly string[]): Record<string, TSchema> => Object.fromEntries(names.map((name) => [name, Type.String()]));

export const AgentView = Type.Object({ device: Type.String(), ...texts(Object.keys(InstalledAgent.properties)) }, closed);
export const ServerView = Type.Object({ device: Type.String(), ...texts(Object.keys(McpServer.properties)) }, closed);
export const SightingView = Type.Object(
  {
    device: Type.String(),
    agent: Type.String(),
    osUser: Type.String(),
    program: Type.String(),
    evidence: Type.String(),
    action: Type.String(),
    firstAt: Type.String(),
    lastAt: Type.String(),
    times: Type.Integer({ description: "Since the device's daemon started last" }),
    running: Type.Boolean({ description: 'As of what the device said last' }),
  },
  closed,
);

export const showAgent = ({ deviceId: device, agent, osUser, source, place, version, running }: InventoryAgent) => ({
  device,
  agent,
  osUser,
  source,
  place,
  version,
  running,
});

export const showServer = ({ deviceId: device, agent, osUser, name, scope, transport, program, file }: InventoryServer) => ({
  device,
  agent,
  osUser,
  name,
  scope,
  transport,
  program,
  file,
});

export const showSighting = (row: InventorySighting): Static<typeof SightingView> => {
  const { deviceId: device, agent, osUser, program, evidence, action, firstAt, lastAt, times, running } = row;
  return { device, agent, osUser, program, evidence, action, firstAt: firstAt.toISOString(), lastAt: lastAt.toISOString(), times, running };
};

const pack = (parts: readonly unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

/** @throws Refusal request.cursor */
const unpack = (cursor: string, length: number): readonly unknown[] => {
  const refusal = badRequest('request.cursor', 'the cursor is not one that this list gave; leave it out to begin at the start', 'cursor');
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refusal;
  }
  if (!Array.isArray(parts) || parts.length !== length || pack(parts) !== cursor || JSON.stringify(parts).includes('\\u0000'))
    throw refusal;
  return parts;
};

export const rowCursor = ({ deviceId, n }: Pick<InventoryAgent, 'deviceId' | 'n'>): string => pack([deviceId, n]);

/** @throws Refusal request.cursor */
export const readRowCursor = (cursor: string | undefined): After | undefined => {
  if (cursor === undefined) return undefined;
  const [device, n] = unpack(cursor, 2);
  if (typeof device !== 'string' || typeof n !== 'number' || !Number.isInteger(n) || n < 0 || n > 100_000)
    throw badRequest('request.cursor', 'the cursor is not one that this list gave; leave it out to begin at the start', 'cursor');
  return { device, n };
};

export const sightingCursor = ({ lastAt, deviceId, agent, osUser, program }: SightingKey): string =>
  pack([lastAt.toISOString(), deviceId, agent, osUser, program]);

/** @throws Refusal request.cursor */
export const readSightingCursor = (cursor: string | undefined): SightingKey | undefined => {
  if (cursor === undefined) return undefined;
  const parts = unpack(cursor, 5);
  const [at = '', deviceId = '', agent = '', osUser = '', program = ''] = parts.filter((part) => typeof part === 'string');
  const lastAt = new Date(at);
  if (Number.isNaN(lastAt.getTime()) || pack([at, deviceId, agent, osUser, program]) !== cursor)
    throw badRequest('request.cursor', 'the cursor is not one that this list gave; leave it out to begin at the start', 'cursor');
  return { lastAt, deviceId, agent, osUser, program };
};
