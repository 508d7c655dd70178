/** One inventory from what the scans of accounts found and what runs now. Pure. */
import {
  MAX_AGENTS,
  MAX_PLACE,
  MAX_SERVERS,
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
  // What runs comes first where there is no room for everything.
  const kept =
    agents.length <= MAX_AGENTS
      ? agents
      : [...agents].sort((a, b) => Number(a.running === 'no') - Number(b.running === 'no')).slice(0, MAX_AGENTS);
  return {
    agents: kept,
    servers: all.slice(0, MAX_SERVERS),
    uncontained: [...sightings],
    leftOut: Math.max(0, agents.length - MAX_AGENTS) + Math.max(0, all.length - MAX_SERVERS),
  };
};

/** What concerns one account: its own, and the machine's. */
export const inventoryFor = ({ agents, servers, uncontained, leftOut }: Inventory, user: string | undefined): Inventory => {
  const concerns = ({ osUser }: { readonly osUser: string }): boolean => user === undefined || osUser === user || osUser === '';
  return { agents: agents.filter(concerns), servers: servers.filter(concerns), uncontained: uncontained.filter(concerns), leftOut };
};
