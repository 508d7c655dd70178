/**
 * What is known of an AI agent, as data: how to recognise it, where its settings, MCP servers and state lie, and which hosts it talks to.
 * Every datum says where it was read, when, and whether the source really said so there.
 */
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const some = { minItems: 1, maxItems: 64, uniqueItems: true } as const;

export const KINDS = ['coding-cli', 'ide-agent', 'desktop-assistant', 'claw', 'browser-agent', 'local-runtime', 'framework'] as const;
/** Where a package comes from. Extensions of editors are told apart: see `extensions`. */
export const ECOSYSTEMS = ['npm', 'pypi', 'homebrew', 'homebrew-cask', 'winget', 'go'] as const;
/** `program`: an installation in the user's own folders. Never part of `${agent}`: a run that writes there changes what is started uncontained. */
export const HOLDS = ['settings', 'credentials', 'transcripts', 'cache', 'program'] as const;
export const NEEDS = ['required', 'optional', 'telemetry'] as const;

/** The one set of variables in profiles' paths. Only `home` and `workspace` are used so far. */
export const PROFILE_VARIABLES = ['home', 'workspace', 'tmp', 'tools', 'agent'] as const;

const Name = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^/\\\\\\s][^/\\\\]*$' });
const Os = Type.Array(Type.Enum(['linux', 'macos', 'windows']), { minItems: 1, maxItems: 3, uniqueItems: true });
/** Begins with a variable, or is absolute in the form of the systems it is for. A backslash only where Windows is the only one. */
const Path = Type.String({ minLength: 1, maxLength: 256 });

const evidence = {
  /** Public address of what was read: a page, or a package (purl). */
  source: Type.String({ pattern: '^(https://|pkg:[a-z]+/)[^\\s]+$', maxLength: 300 }),
  /** The day on which a copy of the source was read, `YYYY-MM-DD`. */
  checked: Type.String({ pattern: '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' }),
  /** True only if that copy says so. False: believed, or said elsewhere, and nobody has confirmed it. */
  verified: Type.Boolean(),
};

const datum = <T extends Parameters<typeof Type.Object>[0]>(fields: T) => Type.Object({ ...fields, ...evidence }, closed);
const groups = <T extends Parameters<typeof Type.Object>[0]>(fields: T) =>
  Type.Optional(Type.Array(datum(fields), { minItems: 1, maxItems: 32 }));

export const AgentProfileSchema = Type.Object(
  {
    /** What policies name in `match.agents`. Never changed and never given to another agent. */
    id: Type.String({ pattern: '^[a-z0-9]+(-[a-z0-9]+)*$', maxLength: 64 }),
    name: Type.String({ minLength: 1, maxLength: 64 }),
    vendor: Type.String({ minLength: 1, maxLength: 64 }),
    kind: Type.Enum(KINDS),
    packages: groups({
      ecosystem: Type.Enum(ECOSYSTEMS),
      name: Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\s\\\\]+$' }),
      /** PyPI only: the folder in `site-packages` that is the program and no other distribution's. */
      module: Type.Optional(Name),
    }),
    /** Base names of programs, without `.exe`. `alsoNamed` tells another known program of that name: then the name proves nothing anywhere. */
    executables: groups({ os: Os, names: Type.Array(Name, some), alsoNamed: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })) }),
    /** macOS. */
    bundleIds: groups({ ids: Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$', maxLength: 128 }), some) }),
    /** As the system lists them, where that differs from the executable's name. */
    processes: groups({ os: Os, names: Type.Array(Name, some) }),
    /** `publisher.name` in VS Code and its relatives; plugin ids in JetBrains IDEs. */
    extensions: groups({ ids: Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$', maxLength: 128 }), some) }),
    config: groups({ os: Os, paths: Type.Array(Path, some) }),
    /** Files that name MCP servers: what is written there is later executed. */
    mcp: groups({ os: Os, paths: Type.Array(Path, some) }),
    /** The agent's own places. Those below `${home}`, but for programs, are what `${agent}` means. */
    state: groups({ os: Os, holds: Type.Array(Type.Enum(HOLDS), some), paths: Type.Array(Path, some) }),
    /** `required`: it does nothing useful without. Agents of any model provider have none of their own. */
    hosts: groups({ need: Type.Enum(NEEDS), hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), some) }),
  },
  closed,
);

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

export type AgentProfile = DeepReadonly<Static<typeof AgentProfileSchema>>;
