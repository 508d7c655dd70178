/** The language `cordon/v1` as JSON Schema: closed everywhere, with a limit on everything. The schema file for editors is made from it. */
import { Type, type Static, type TEnum } from 'typebox';
import { CONTROLS, DEFAULT_REQUIRED } from './controls.ts';
import { EXPIRIES, ISOLATIONS, PRIVACY, UNCONTAINED } from '../effective.ts';

export const closed = (description: string): { additionalProperties: false; description: string } => ({
  additionalProperties: false,
  description,
});
export const oneOf = <const Values extends string[]>(values: readonly [...Values], description: string): TEnum<Values> =>
  Type.Enum(values, { description });

export const Name = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[a-z0-9][a-z0-9._-]*$',
  description: 'Small letters, digits, ".", "_" and "-"',
});
const Paths = Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), {
  maxItems: 1000,
  description:
    'Absolute paths, or paths that begin with ${home}, ${workspace}, ${tmp}, ${tools} or ${agent}; each covers everything below it',
});
const Ports = Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
  minItems: 1,
  maxItems: 64,
  description: 'In an allow: 443 unless said; in deny and limit: every port unless said',
});
const Private = Type.Boolean({ description: 'Private, loopback, link-local and metadata addresses too' });

export const HostEntry = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      maxLength: 253,
      description: 'A name, an address, "*.example.com" (one or more labels below it), or "*"',
    }),
    ports: Type.Optional(Ports),
    private: Type.Optional(Private),
    methods: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Z]{3,16}$' }), {
        minItems: 1,
        maxItems: 16,
        description: 'Plain HTTP only: an allow with methods never opens a tunnel',
      }),
    ),
    paths: Type.Optional(
      Type.Array(Type.String({ pattern: '^/', maxLength: 512 }), {
        minItems: 1,
        maxItems: 64,
        description: 'Path prefixes; plain HTTP only',
      }),
    ),
  },
  closed('A host'),
);
export type HostEntry = Static<typeof HostEntry>;

export const CidrEntry = Type.Object(
  {
    cidr: Type.String({ minLength: 3, maxLength: 49, description: 'A network such as 192.0.2.0/24, or an address' }),
    except: Type.Optional(Type.Array(Type.String({ maxLength: 49 }), { minItems: 1, maxItems: 64 })),
    ports: Type.Optional(Ports),
    private: Type.Optional(Private),
  },
  closed('Addresses by number'),
);
export type CidrEntry = Static<typeof CidrEntry>;

export const Hosts = Type.Array(HostEntry, { maxItems: 2000 });
const Cidrs = Type.Array(CidrEntry, { maxItems: 2000 });
export const True = Type.Literal(true);
export const Clipboard = oneOf(['none', 'read', 'write', 'all'], 'Rights to the clipboard');
export const Names = Type.Array(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$', description: 'The name of a variable, such as LANG' }),
  {
    maxItems: 200,
    description: 'Names of environment variables',
  },
);
const IdentityHosts = Type.Object(
  { hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 200 }) },
  closed('Hosts that may receive the identity of the run, by exact name'),
);
export const ReadWrite = Type.Object({ read: Type.Optional(Paths), write: Type.Optional(Paths) }, closed('write includes read'));

export const DURATION_PATTERN = '^(0s|[1-9][0-9]{0,5}(s|m|h|d))$';
const Duration = Type.String({ pattern: DURATION_PATTERN, description: 'Such as 90s, 30m, 8h or 2d' });
export const MEMORY_PATTERN = '^[1-9][0-9]{0,6}(MiB|GiB)$';

export const Match = Type.Object(
  {
    agents: Type.Optional(
      Type.Array(Type.String({ pattern: '^(\\*|[a-z0-9][a-z0-9-]{0,63})$', description: 'The id of an agent profile, or "*"' }), {
        minItems: 1,
        maxItems: 100,
      }),
    ),
    users: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
        minItems: 1,
        maxItems: 1000,
        description: 'Accounts of the operating system',
      }),
    ),
    os: Type.Optional(Type.Array(oneOf(['linux', 'macos', 'windows'], 'Operating system'), { minItems: 1, maxItems: 3 })),
  },
  closed('Whom it is for; everyone unless said'),
);
export const Allow = Type.Object(
  {
    filesystem: Type.Optional(ReadWrite),
    network: Type.Optional(
      Type.Object(
        { hosts: Type.Optional(Hosts), cidrs: Type.Optional(Cidrs), ingress: Type.Optional(True), hostLoopback: Type.Optional(True) },
        closed('Where to, and from where'),
      ),
    ),
    ui: Type.Optional(
      Type.Object(
        { windows: Type.Optional(True), clipboard: Type.Optional(Clipboard), inputInjection: Type.Optional(True) },
        closed('The desktop'),
      ),
    ),
    environment: Type.Optional(Names),
    identity: Type.Optional(IdentityHosts),
  },
  closed('Adds, as sets: an added allow never takes power away'),
);
const Deny = Type.Object(
  {
    run: Type.Optional(Type.Literal(true, { description: 'This agent does not start here' })),
    filesystem: Type.Optional(
      Type.Object({ access: Type.Optional(Paths), write: Type.Optional(Paths) }, closed('access hides, write makes read-only')),
    ),
    network: Type.Optional(
      Type.Object(
        { hosts: Type.Optional(Hosts), cidrs: Type.Optional(Cidrs), ingress: Type.Optional(True), hostLoopback: Type.Optional(True) },
        closed('Beats every allow'),
      ),
    ),
    ui: Type.Optional(
      Type.Object(
        { windows: Type.Optional(True), clipboard: Type.Optional(Clipboard), inputInjection: Type.Optional(True) },
        closed('Beats every allow'),
      ),
    ),
    environment: Type.Optional(Names),
    workspaces: Type.Optional(Paths),
    identity: Type.Optional(IdentityHosts),
  },
  closed('Beats everything'),
);
const Limit = Type.Object(
  {
    filesystem: Type.Optional(ReadWrite),
    network: Type.Optional(
      Type.Object(
        {
          hosts: Type.Optional(Hosts),
          cidrs: Type.Optional(Cidrs),
          ingress: Type.Optional(Type.Boolean()),
          hostLoopback: Type.Optional(Type.Boolean()),
        },
        closed('Nothing outside it, whoever allows it'),
      ),
    ),
    ui: Type.Optional(
      Type.Object(
        { windows: Type.Optional(Type.Boolean()), clipboard: Type.Optional(Clipboard), inputInjection: Type.Optional(Type.Boolean()) },
        closed('Nothing outside it'),
      ),
    ),
    environment: Type.Optional(Names),
    workspaces: Type.Optional(Paths),
    identity: Type.Optional(IdentityHosts),
    resources: Type.Optional(
      Type.Object(
        {
          timeout: Type.Optional(Duration),
          memory: Type.Optional(Type.String({ pattern: MEMORY_PATTERN, description: 'Such as 512MiB or 4GiB' })),
          cpu: Type.Optional(Type.Number({ minimum: 0.1, maximum: 1024, description: 'Processors' })),
          processes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
        },
        closed('The strictest counts'),
      ),
    ),
    isolation: Type.Optional(oneOf(ISOLATIONS, 'At least')),
  },
  closed('An envelope: nothing outside it, whoever allows it. What is absent limits nothing; an empty list permits nothing'),
);

export const PolicyDocument = Type.Object(
  {
    apiVersion: Type.Literal('cordon/v1'),
    kind: Type.Literal('ContainmentPolicy'),
    metadata: Type.Object(
      {
        name: Name,
        description: Type.Optional(Type.String({ maxLength: 1000 })),
        owner: Type.Optional(
          Type.String({ maxLength: 128, description: 'Who answers questions about it; shown to the person whose agent was blocked' }),
        ),
        contact: Type.Optional(Type.String({ maxLength: 256, description: 'How to ask: an address or a URL' })),
      },
      closed('What it is called'),
    ),
    spec: Type.Object(
      {
        mode: Type.Optional(
          oneOf(
            ['enforce', 'audit'],
            'audit: evaluated beside those that are enforced, and reported where it would have changed the verdict',
          ),
        ),
        match: Type.Optional(Match),
        allow: Type.Optional(Allow),
        deny: Type.Optional(Deny),
        limit: Type.Optional(Limit),
        required: Type.Optional(
          Type.Array(oneOf(CONTROLS, 'A control'), {
            maxItems: CONTROLS.length,
            description: `Must be truly enforced, or the launch is refused; unless said: ${DEFAULT_REQUIRED.join(', ')}`,
          }),
        ),
        onExpiry: Type.Optional(
          oneOf(
            EXPIRIES,
            'When nothing newer arrives in time: hold goes on (only if the floor says hold too), tighten starts nothing new, stop also ends what runs',
          ),
        ),
        grace: Type.Optional(
          Type.String({
            pattern: DURATION_PATTERN,
            description: 'How long running agents may go on under a policy that became tighter for them; 0s: not at all',
          }),
        ),
        uncontained: Type.Optional(oneOf(UNCONTAINED, 'What to do with an agent that runs outside containment')),
        privacy: Type.Optional(
          Type.Object(
            {
              paths: Type.Optional(oneOf(PRIVACY.paths, 'What telemetry says of paths')),
              hosts: Type.Optional(oneOf(PRIVACY.hosts, 'What telemetry says of hosts')),
              users: Type.Optional(oneOf(PRIVACY.users, 'What telemetry says of users')),
            },
            closed('Privacy of telemetry; the most private statement counts'),
          ),
        ),
      },
      closed('What it says'),
    ),
  },
  {
    additionalProperties: false,
    title: 'Cordon containment policy',
    description: 'allowed = some allow says so, every limit permits it, and no deny matches; default deny',
  },
);
export type PolicyDocument = Static<typeof PolicyDocument>;
