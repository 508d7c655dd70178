/**
 * What a device says is installed and runs on it: AI agents, and the MCP servers that they are told to start. Names of programs and their places only, never
 * arguments, values of environments, addresses, prompts or tokens. Every field has a limit and is hostile to whoever reads it.
 */
import { Type, type Static } from 'typebox';
import { HexDigest } from './enrollment.ts';
import { Time } from './time.ts';

const closed = { additionalProperties: false } as const;
const Text = (max: number) => Type.String({ maxLength: max });
const one = <Value extends string>(values: readonly Value[]) => Type.Unsafe<Value>(Type.Union(values.map((value) => Type.Literal(value))));

/** What tells that a file is an agent's: the package in whose tree it lies, a folder of its program, an editor's extension, its content, or its name alone. */
export const EVIDENCE = ['package', 'program', 'extension', 'content', 'name'] as const;
export type Evidence = (typeof EVIDENCE)[number];
/** `process`: nothing of it was found installed, but it runs. */
export const SOURCES = [...EVIDENCE, 'process'] as const;
export const RUNNING = ['no', 'contained', 'uncontained'] as const;
export const ACTIONS = ['reported', 'stopped', 'failed'] as const;
export const SCOPES = ['user', 'project', 'machine'] as const;
export const TRANSPORTS = ['program', 'remote', 'unknown'] as const;

export const MAX_AGENTS = 128;
export const MAX_SERVERS = 256;
export const MAX_SIGHTINGS = 64;
export const MAX_PLACE = 256;

/** An agent that is installed, or runs without being installed anywhere that is known. */
export const InstalledAgent = Type.Object(
  {
    agent: Text(64),
    /** Whose home it lies in; empty: the machine's. */
    osUser: Text(64),
    source: one(SOURCES),
    place: Text(MAX_PLACE),
    version: Text(40),
    running: one(RUNNING),
  },
  closed,
);
export type InstalledAgent = Static<typeof InstalledAgent>;

/** A server that an agent's settings name. */
export const McpServer = Type.Object(
  {
    agent: Text(64),
    osUser: Text(64),
    name: Text(64),
    scope: one(SCOPES),
    transport: one(TRANSPORTS),
    /** The program of its command, without folder and arguments; empty where that cannot be told from them. */
    program: Text(64),
    /** The settings file as the agent's profile writes it, `${home}/.claude.json`: no project is named. */
    file: Text(MAX_PLACE),
  },
  closed,
);
export type McpServer = Static<typeof McpServer>;

/** An agent that ran, or runs, outside containment. */
export const Sighting = Type.Object(
  {
    agent: Text(64),
    osUser: Text(64),
    evidence: one(EVIDENCE),
    program: Text(MAX_PLACE),
    action: one(ACTIONS),
    firstAt: Time,
    lastAt: Time,
    /** How many of them were started. */
    times: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
    running: Type.Boolean(),
  },
  closed,
);
export type Sighting = Static<typeof Sighting>;

export const Inventory = Type.Object(
  {
    agents: Type.Array(InstalledAgent, { maxItems: MAX_AGENTS }),
    servers: Type.Array(McpServer, { maxItems: MAX_SERVERS }),
    uncontained: Type.Array(Sighting, { maxItems: MAX_SIGHTINGS }),
    /** What was found and had no room. */
    leftOut: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  },
  closed,
);
export type Inventory = Static<typeof Inventory>;

/** All of it, each time: `digest` is the SHA-256 of its canonical form, so that the same is not written twice. */
export const InventoryFrame = Type.Object({ type: Type.Literal('inventory'), digest: HexDigest, at: Time, inventory: Inventory }, closed);
export type InventoryFrame = Static<typeof InventoryFrame>;
