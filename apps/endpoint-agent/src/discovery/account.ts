/** What one account has, or the machine for everybody: its agents, the MCP servers that their settings name, and the files that are their programs. Pure over a machine. */
import { findInstalled, type Found, type Machine } from '@cordon/policy/agents/installed.ts';
import { projectsIn, serversIn } from '@cordon/policy/agents/mcp-servers.ts';
import { PROFILES } from '@cordon/policy/agents/profiles.ts';
import { readSettings } from '@cordon/policy/agents/settings-text.ts';
import type { OperatingSystem } from '@cordon/policy/effective.ts';
import { MAX_PLACE, type McpServer } from '@cordon/policy/protocol/inventory.ts';
import { MOST, type AccountScan, type Whose } from './account-scan.ts';

const MOST_PROJECTS = 64;

const cut = (text: string): string => {
  const short = text.slice(0, MAX_PLACE).replaceAll('\0', '');
  return short.isWellFormed() ? short : short.toWellFormed();
};

/** Files of an installation that are its programs: a copy of one under another name is found by its content. */
const programsOf = (machine: Machine, { agent, place }: Found, os: OperatingSystem): { agent: string; file: string }[] => {
  const separator = os === 'windows' ? '\\' : '/';
  const names = machine.list(place);
  if (names === undefined) return [{ agent, file: place }];
  if (names.includes('versions'))
    return (machine.list(`${place}${separator}versions`) ?? []).map((name) => ({
      agent,
      file: `${place}${separator}versions${separator}${name}`,
    }));
  const manifest = names.includes('package.json')
    ? readSettings('package.json', machine.read(`${place}${separator}package.json`) ?? '')
    : undefined;
  const bin: unknown = typeof manifest === 'object' && manifest !== null && 'bin' in manifest ? manifest.bin : undefined;
  const files = typeof bin === 'string' ? [bin] : typeof bin === 'object' && bin !== null ? Object.values(bin) : [];
  return files.flatMap((file: unknown) =>
    typeof file === 'string' ? [{ agent, file: machine.resolve(`${place}${separator}${file}`) ?? `${place}${separator}${file}` }] : [],
  );
};

/** A path of a profile for this account: none where it is of a workspace and there is none. */
const placesOf = (path: string, { home, workspaces, os }: Whose, known: readonly string[]): string[] => {
  const own = (text: string): string => (os === 'windows' ? text.replaceAll('/', '\\') : text);
  if (path.startsWith('${home}')) return home === undefined ? [] : [own(home + path.slice('${home}'.length))];
  if (path.startsWith('${workspace}'))
    return [...new Set([...workspaces, ...known])].map((folder) => own(folder + path.slice('${workspace}'.length)));
  return home === undefined ? [own(path)] : [];
};

const scopeOf = (path: string): McpServer['scope'] =>
  path.startsWith('${home}') ? 'user' : path.startsWith('${workspace}') ? 'project' : 'machine';

const findServers = (machine: Machine, whose: Whose): McpServer[] => {
  const { user, os } = whose;
  const separator = os === 'windows' ? '\\' : '/';
  const values = new Map<string, readonly unknown[]>();
  /** A settings file, or each of those in a folder of them. */
  const valuesAt = (place: string): readonly unknown[] => {
    const known = values.get(place);
    if (known !== undefined) return known;
    const names = machine.list(place);
    const files = names === undefined ? [place] : names.slice(0, 32).map((name) => `${place}${separator}${name}`);
    const read = files.map((file) => readSettings(file, machine.read(file) ?? '')).filter((value) => value !== undefined);
    values.set(place, read);
    return read;
  };
  const groups = PROFILES.flatMap(({ id, mcp = [] }) =>
    mcp.filter((group) => group.os.includes(os)).flatMap(({ paths }) => paths.map((path) => ({ agent: id, path }))),
  );
  const atHome = groups.filter(({ path }) => path.startsWith('${home}'));
  const projects = atHome
    .flatMap(({ path }) => placesOf(path, whose, []))
    .flatMap(valuesAt)
    .flatMap(projectsIn);
  const known = [...new Set(projects)].slice(0, MOST_PROJECTS);
  const found = groups.flatMap(({ agent, path }) =>
    placesOf(path, whose, known)
      .flatMap(valuesAt)
      .flatMap((value) => {
        const { own, projects: ofProjects } = serversIn(agent, value);
        const scoped = (servers: typeof own, scope: McpServer['scope']): McpServer[] =>
          servers.map((server) => ({ agent, osUser: user, scope, file: path, ...server }));
        return [...scoped(own, scopeOf(path)), ...scoped(ofProjects, 'project')];
      }),
  );
  return [...new Map(found.map((server) => [JSON.stringify(server), server])).values()];
};

export const scanAccount = (machine: Machine, whose: Whose): AccountScan => {
  const found = findInstalled(machine, whose.os, whose.home);
  return {
    agents: found.slice(0, MOST).map((one) => ({ ...one, place: cut(one.place), osUser: whose.user })),
    servers: findServers(machine, whose).slice(0, MOST),
    programs: found
      .flatMap((one) => programsOf(machine, one, whose.os))
      .filter(({ file }) => file.length <= 4096)
      .slice(0, MOST),
  };
};
