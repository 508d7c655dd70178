/** The language `cordon/v1` as JSON Schema: closed everywhere, with a limit on everything. The schema file for editors is made from it. */
import { Type, type Static } from 'typebox';
import { CONTROLS, DEFAULT_REQUIRED } from './controls.ts';
import { EXPIRIES, ISOLATIONS, PRIVACY, UNCONTAINED } from '../effective.ts';
import {
  closed,
  oneOf,
  Name,
  Paths,
  Hosts,
  Cidrs,
  Forwards,
  Amount,
  True,
  Clipboard,
  Names,
  IdentityHosts,
  ReadWrite,
  DURATION_PATTERN,
  Duration,
  MEMORY_PATTERN,
} from './terms.ts';

export { CidrEntry, HostEntry } from './terms.ts';

export const Match = Type.Object(
  {
    agents: Type.Optional(
      Type.Array(Type.String({ pattern: '^(\\*|[a-z0-9][a-z0-9-]{0,63})$', description: 'The id of an agent profile, or "*"' }), {
        minItems: 1,
        maxItems: 100,
      }),
    ),
    users: Type.Optional(
      // No account has a star, so one inside a name is a pattern that would match nobody.
      Type.Array(
        Type.String({
          pattern: '^(\\*|[^*\\s]([^*]*[^*\\s])?)$',
          maxLength: 64,
          description: 'The name of an account, or "*"; a name is no pattern',
        }),
        { minItems: 1, maxItems: 1000, description: 'Accounts of the operating system' },
      ),
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
        {
          hosts: Type.Optional(Hosts),
          cidrs: Type.Optional(Cidrs),
          forwards: Type.Optional(Forwards),
          ingress: Type.Optional(True),
          hostLoopback: Type.Optional(True),
        },
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
          upload: Type.Optional(Amount),
          download: Type.Optional(Amount),
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
