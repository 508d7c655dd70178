/** One inventory from what the scans of accounts found and what runs now. Pure. */
import {
  MAX_AGENTS,
  MAX_PLACE,
  MAX_SERVERS,
  MAX_SIGHTINGS,
  type InstalledAgent,
  type Inventory,
  type McpServer,
  type Sighting,
} from '@cordon/policy/protocol/inventory.ts';
import type { SeenAgent } from './watch.ts';

export interface Parts {
  readonly installed: readonly Omit<InstalledAgent, 'running'>[];
  readonly servers: readonly McpServer[];
  readonly running: readonly (SeenAgent & { readonly user: string })[];
  readonly sightings: readonly Sighting[];
}

const isOf = ({ agent, osUser, place }: Omit<InstalledAgent, 'running'>, seen: Parts['running'][number]): boolean =>
  seen.agent === agent && (osUser === '' || osUser === seen.user) && (seen.file === place || seen.file.startsWith(`${place}/`));

const state = (seen: readonly SeenAgent[]): InstalledAgent['running'] =>
  seen.length === 0 ? 'no' : seen.every(({ contained }) => contained) ? 'contained' : 'uncontained';

const text = (one: object): string => JSON.stringify(one);
const inOrder = <T extends object>(all: readonly T[]): T[] =>
  [...new Map(all.map((one) => [text(one), one])).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);

/** All of it together: a frame may have MAX_FRAME_UP, and names of accounts may become longer on the way. */
const MOST_BYTES = 160 * 1024;

/** The first of them that fit. */
const fitting = <T extends object>(all: readonly T[], most: number, bytes: number): T[] => {
  let left = bytes;
  return all.slice(0, most).filter((one) => (left -= Buffer.byteLength(text(one))) >= 0);
};

/** The same for the same parts in whatever order. */
export const composeInventory = ({ installed, servers, running, sightings }: Parts): Inventory => {
  const known = installed.map((one) => ({ ...one, running: state(running.filter((seen) => isOf(one, seen))) }));
  const elsewhere = running.filter((seen) => !installed.some((one) => isOf(one, seen)));
  const places = Map.groupBy(elsewhere, ({ agent, user, file }) => text([agent, user, file]));
  const unlisted = [...places.values()].flatMap((seen): InstalledAgent[] => {
    const [first] = seen;
    if (first === undefined) return [];
    const { agent, user, file } = first;
    return [
      {
        agent,
        osUser: user.slice(0, 64),
        source: 'process',
        place: file.slice(0, MAX_PLACE).toWellFormed(),
        version: '',
        running: state(seen),
      },
    ];
  });
  const agents = inOrder([...known, ...unlisted]);
  const all = inOrder(servers);
  // Where there is no room for everything, what runs comes first.
  const wanted = [...agents.filter(({ running: how }) => how !== 'no'), ...agents.filter(({ running: how }) => how === 'no')];
  const kept = new Set(fitting(wanted, MAX_AGENTS, MOST_BYTES / 3));
  const told = fitting(all, MAX_SERVERS, MOST_BYTES / 3);
  return {
    agents: agents.filter((one) => kept.has(one)),
    servers: told,
    uncontained: fitting([...sightings].reverse(), MAX_SIGHTINGS, MOST_BYTES / 3).reverse(),
    leftOut: agents.length - kept.size + (all.length - told.length),
  };
};

/** What concerns one account: its own, and the machine's. */
export const inventoryFor = ({ agents, servers, uncontained, leftOut }: Inventory, user: string | undefined): Inventory => {
  const concerns = ({ osUser }: { readonly osUser: string }): boolean => user === undefined || osUser === user || osUser === '';
  return { agents: agents.filter(concerns), servers: servers.filter(concerns), uncontained: uncontained.filter(concerns), leftOut };
};
