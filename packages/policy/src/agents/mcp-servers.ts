/**
 * The MCP servers that an agent's settings name: name, program of the command, whether it is a program at all. Of a command only the program's own name leaves
 * this file, and nothing of arguments, environments, headers and addresses: those hold tokens.
 */
import type { McpServer } from '../protocol/inventory.ts';

export type NamedServer = Pick<McpServer, 'name' | 'transport' | 'program'>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const PROGRAM_NAME = /^[A-Za-z0-9._+@-]{1,64}$/;

/** The one folder of programs that everybody has with a space in its name. */
const PROGRAM_FILES = /^[A-Za-z]:\\Program Files(?: \(x86\))?\\\S+/i;

/** The first word's last part. Empty where there may be more than a program in it: an assignment, a URL, quotes, anything that no program is called. */
const programIn = (command: string): string => {
  const first = PROGRAM_FILES.exec(command.trim())?.[0] ?? command.trim().split(/\s+/)[0] ?? '';
  const name = first.split(/[\\/]/).at(-1) ?? '';
  const isMore = /[=:?#"'`$]/.test(first.replace(/^[A-Za-z]:[\\/]/, '').replaceAll(/\$\{[A-Za-z]+\}/g, ''));
  return isMore || !PROGRAM_NAME.test(name) ? '' : name;
};

const commandOf = (entry: Readonly<Record<string, unknown>>): unknown => {
  const command = entry['command'] ?? entry['cmd'];
  if (Array.isArray(command)) return command[0] as unknown;
  return isRecord(command) ? command['path'] : command;
};

const ADDRESSES = ['url', 'httpUrl', 'serverUrl', 'uri', 'endpoint'];
const REMOTE_TYPES: ReadonlySet<unknown> = new Set(['http', 'sse', 'streamable-http', 'streamable_http', 'remote', 'websocket']);

const nameIn = (text: string): string => {
  const plain = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '').slice(0, 64);
  return plain.isWellFormed() ? plain : plain.slice(0, -1);
};

const serverOf = (name: string, entry: unknown): NamedServer | undefined => {
  if (!isRecord(entry)) return undefined;
  const command = commandOf(entry);
  if (typeof command === 'string') return { name: nameIn(name), transport: 'program', program: programIn(command) };
  const isRemote = ADDRESSES.some((key) => typeof entry[key] === 'string') || REMOTE_TYPES.has(entry['type'] ?? entry['transport']);
  return { name: nameIn(name), transport: isRemote ? 'remote' : 'unknown', program: '' };
};

const serversOf = (container: unknown): NamedServer[] => {
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(container)
    ? container.map(
        (entry: unknown, i) => [isRecord(entry) && typeof entry['name'] === 'string' ? entry['name'] : `#${i + 1}`, entry] as const,
      )
    : isRecord(container)
      ? Object.entries(container)
      : [];
  return entries.flatMap(([name, entry]) => serverOf(name, entry) ?? []);
};

/** Under which names agents keep them, beside each other since no two agents mean different things by one. */
const CONTAINERS = ['mcpServers', 'mcp_servers', 'servers', 'context_servers', 'amp.mcpServers'];

/** `mcp` holds them itself, or under another name (OpenClaw, settings of VS Code). */
const below = (value: unknown): unknown[] => {
  if (!isRecord(value)) return [];
  const inner = CONTAINERS.map((key) => value[key]).filter((container) => container !== undefined);
  return inner.length > 0 ? inner : [value];
};

/** What a settings file names for all of its user's work, and what for single projects. @param value as settings-text.ts reads it */
export const serversIn = (agent: string, value: unknown): { readonly own: NamedServer[]; readonly projects: NamedServer[] } => {
  if (!isRecord(value)) return { own: [], projects: [] };
  const own = [
    ...CONTAINERS.flatMap((key) => serversOf(value[key])),
    ...below(value['mcp']).flatMap(serversOf),
    // Goose calls them extensions; those that are built in have no command and no address.
    ...(agent === 'goose' ? serversOf(value['extensions']).filter(({ transport }) => transport !== 'unknown') : []),
  ];
  // Claude Code keeps those of single projects in the user's own file.
  const projects = isRecord(value['projects'])
    ? Object.values(value['projects']).flatMap((project) => (isRecord(project) ? serversOf(project['mcpServers']) : []))
    : [];
  return { own, projects };
};

/** Folders that the settings know as projects. */
export const projectsIn = (value: unknown): string[] =>
  isRecord(value) && isRecord(value['projects']) ? Object.keys(value['projects']).filter((path) => /^(\/|[A-Za-z]:\\)/.test(path)) : [];
