/** Which AI agents and MCP servers the fleet has, and which agents ran outside containment. All of it is what devices say of themselves. */
import { Type } from 'typebox';
import { RUNNING, SCOPES, TRANSPORTS } from '@cordon/policy/protocol/inventory.ts';
import type { Feature } from '../context.ts';
import { notFound } from '../errors.ts';
import { ById, Page } from '../paging.ts';
import { countAgents, findHead, listAgents, listServers, listSightings } from './store.ts';
import {
  AgentView,
  readRowCursor,
  readSightingCursor,
  rowCursor,
  ServerView,
  showAgent,
  showServer,
  showSighting,
  sightingCursor,
  SightingView,
} from './view.ts';

const closed = { additionalProperties: false } as const;
const Word = (max = 64) => Type.Optional(Type.String({ minLength: 1, maxLength: max, pattern: '^[^\\u0000]+$' }));
const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 2048, pattern: '^[A-Za-z0-9_-]+$' })),
};
const common = { device: Word(), agent: Word(), user: Word() };

/** Of one device: more than it can say. */
const ALL = 1000;

const cut = <Row, Item>(rows: readonly Row[], limit: number, cursorOf: (row: Row) => string, show: (row: Row) => Item) => {
  const last = rows[limit - 1];
  return { items: rows.slice(0, limit).map(show), next: rows.length > limit && last !== undefined ? cursorOf(last) : null };
};

export const registerInventory: Feature = (app, { prisma, pool }) => {
  const tags = ['inventory'];
  const config = { permission: 'inventory.read' } as const;

  app.get(
    '/inventory/agents',
    {
      config,
      schema: {
        tags,
        summary: 'AI agents that devices say are installed or run on them, by device',
        querystring: Type.Object({ ...common, running: Type.Optional(Type.Enum([...RUNNING])), ...page }, closed),
        response: { 200: Page(AgentView) },
      },
    },
    async ({ query: { limit = 50, cursor, device, agent, user, running } }) => {
      const where = {
        ...(device !== undefined && { deviceId: device }),
        ...(agent !== undefined && { agent }),
        ...(user !== undefined && { osUser: user }),
        ...(running !== undefined && { running }),
      };
      return cut(await listAgents(prisma, where, readRowCursor(cursor), limit + 1), limit, rowCursor, showAgent);
    },
  );

  app.get(
    '/inventory/agents/counts',
    {
      config,
      schema: {
        tags,
        summary: 'How many devices have each agent, and on how many it runs outside containment now',
        response: {
          200: Type.Object(
            {
              items: Type.Array(Type.Object({ agent: Type.String(), devices: Type.Integer(), uncontained: Type.Integer() }, closed)),
            },
            closed,
          ),
        },
      },
    },
    async () => ({ items: [...(await countAgents(pool))] }),
  );

  app.get(
    '/inventory/mcp-servers',
    {
      config,
      schema: {
        tags,
        summary: "MCP servers that agents' settings name, by device: names and programs, never arguments, values or addresses",
        querystring: Type.Object(
          {
            ...common,
            name: Word(),
            program: Word(),
            scope: Type.Optional(Type.Enum([...SCOPES])),
            transport: Type.Optional(Type.Enum([...TRANSPORTS])),
            ...page,
          },
          closed,
        ),
        response: { 200: Page(ServerView) },
      },
    },
    async ({ query: { limit = 50, cursor, device, user, ...rest } }) => {
      const where = { ...rest, ...(device !== undefined && { deviceId: device }), ...(user !== undefined && { osUser: user }) };
      return cut(await listServers(prisma, where, readRowCursor(cursor), limit + 1), limit, rowCursor, showServer);
    },
  );

  app.get(
    '/inventory/uncontained',
    {
      config,
      schema: {
        tags,
        summary: 'Agents that ran outside containment, the last seen first; kept for 90 days. The evidence is in the events of the device',
        querystring: Type.Object({ ...common, running: Type.Optional(Type.Enum(['yes', 'no'])), ...page }, closed),
        response: { 200: Page(SightingView) },
      },
    },
    async ({ query: { limit = 50, cursor, device, agent, user, running } }) => {
      const where = {
        ...(device !== undefined && { deviceId: device }),
        ...(agent !== undefined && { agent }),
        ...(user !== undefined && { osUser: user }),
        ...(running !== undefined && { running: running === 'yes' }),
      };
      return cut(await listSightings(prisma, where, readSightingCursor(cursor), limit + 1), limit, sightingCursor, showSighting);
    },
  );

  app.get(
    '/devices/:id/inventory',
    {
      config,
      schema: {
        tags,
        summary: 'All that the device said last of its agents, and what was ever seen outside containment on it',
        params: ById,
        response: {
          200: Type.Object(
            {
              device: Type.String(),
              receivedAt: Type.String(),
              leftOut: Type.Integer({ description: 'What it found and had no room for' }),
              agents: Type.Array(AgentView),
              servers: Type.Array(ServerView),
              uncontained: Type.Array(SightingView),
            },
            closed,
          ),
        },
      },
    },
    async ({ params: { id } }) => {
      const head = await findHead(prisma, id);
      if (head === null) throw notFound('inventory', id);
      const where = { deviceId: id, device: {} }; // whether it has ended or not
      const [agents, servers, uncontained] = await Promise.all([
        listAgents(prisma, where, undefined, ALL),
        listServers(prisma, where, undefined, ALL),
        listSightings(prisma, where, undefined, ALL),
      ]);
      return {
        device: id,
        receivedAt: head.receivedAt.toISOString(),
        leftOut: head.leftOut,
        agents: agents.map(showAgent),
        servers: servers.map(showServer),
        uncontained: uncontained.map(showSighting),
      };
    },
  );
};
