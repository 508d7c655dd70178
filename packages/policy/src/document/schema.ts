/** The language `cordon/v1` as JSON Schema: closed everywhere, with a limit on everything. */
import { Type, type Static } from 'typebox';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 128, pattern: '^[a-z0-9][a-z0-9._-]*$' });
const PathText = Type.String({ minLength: 1, maxLength: 1024 });
const Paths = Type.Array(PathText, { maxItems: 1000 });
const Port = Type.Integer({ minimum: 1, maximum: 65_535 });

export const HostEntry = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 253 }),
    ports: Type.Optional(Type.Array(Port, { minItems: 1, maxItems: 64 })),
    private: Type.Optional(Type.Boolean()),
  },
  closed,
);
export type HostEntry = Static<typeof HostEntry>;

const Hosts = Type.Array(HostEntry, { maxItems: 2000 });
const Network = Type.Object({ hosts: Hosts }, closed);
const ReadWrite = Type.Object({ read: Type.Optional(Paths), write: Type.Optional(Paths) }, closed);
export const Duration = Type.String({ pattern: '^[1-9][0-9]{0,5}(s|m|h)$' });

const Match = Type.Object(
  {
    agents: Type.Optional(Type.Array(Type.String({ pattern: '^(\\*|[a-z0-9][a-z0-9-]{0,63})$' }), { minItems: 1, maxItems: 100 })),
    users: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 1000 })),
    os: Type.Optional(
      Type.Array(Type.Union([Type.Literal('linux'), Type.Literal('macos'), Type.Literal('windows')]), { minItems: 1, maxItems: 3 }),
    ),
  },
  closed,
);
const Allow = Type.Object(
  {
    filesystem: Type.Optional(ReadWrite),
    network: Type.Optional(Network),
    environment: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }), { maxItems: 200 })),
  },
  closed,
);
const Deny = Type.Object(
  {
    filesystem: Type.Optional(Type.Object({ access: Type.Optional(Paths), write: Type.Optional(Paths) }, closed)),
    network: Type.Optional(Network),
  },
  closed,
);
const Limit = Type.Object(
  {
    filesystem: Type.Optional(ReadWrite),
    network: Type.Optional(Network),
    resources: Type.Optional(Type.Object({ timeout: Type.Optional(Duration) }, closed)),
  },
  closed,
);

/** Controls that a policy may demand to be truly enforced. */
export const CONTROLS = [
  'filesystem.read',
  'filesystem.write',
  'filesystem.deny',
  'network.hosts',
  'environment',
  'resources.timeout',
] as const;

export const PolicyDocument = Type.Object(
  {
    apiVersion: Type.Literal('cordon/v1'),
    kind: Type.Literal('ContainmentPolicy'),
    metadata: Type.Object(
      { name: Name, description: Type.Optional(Type.String({ maxLength: 1000 })), owner: Type.Optional(Type.String({ maxLength: 128 })) },
      closed,
    ),
    spec: Type.Object(
      {
        mode: Type.Optional(Type.Literal('enforce')),
        match: Type.Optional(Match),
        allow: Type.Optional(Allow),
        deny: Type.Optional(Deny),
        limit: Type.Optional(Limit),
        required: Type.Optional(Type.Array(Type.Union(CONTROLS.map((control) => Type.Literal(control))), { maxItems: CONTROLS.length })),
      },
      closed,
    ),
  },
  closed,
);
export type PolicyDocument = Static<typeof PolicyDocument>;
