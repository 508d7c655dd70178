/** Words that policies and manifests have in common, as JSON Schema: hosts, paths, names, amounts. */
import { Type, type Static, type TEnum } from 'typebox';

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
export const Paths = Type.Array(Type.String({ minLength: 1, maxLength: 1024 }), {
  maxItems: 1000,
  description:
    'Absolute paths, or paths that begin with ${home}, ${workspace}, ${tmp}, ${tools} or ${agent}; each covers everything below it',
});
export const Ports = Type.Array(Type.Integer({ minimum: 1, maximum: 65_535 }), {
  minItems: 1,
  maxItems: 64,
  description: 'In an allow: 443 unless said; in deny and limit: every port unless said',
});
export const Private = Type.Boolean({ description: 'Private, loopback, link-local and metadata addresses too' });

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

/** A raw way to one place: what it carries is not looked at. */
export const ForwardEntry = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 253, description: 'A name or an address' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    at: Type.Optional(
      Type.Integer({
        minimum: 1024,
        maximum: 65_535,
        description: 'A port of 127.0.0.1 inside the sandbox that leads there; without it only CONNECT does',
      }),
    ),
    private: Type.Optional(Private),
  },
  closed('Whatever bytes, to one port of one host'),
);
export type ForwardEntry = Static<typeof ForwardEntry>;

export const Hosts = Type.Array(HostEntry, { maxItems: 2000 });
export const Cidrs = Type.Array(CidrEntry, { maxItems: 2000 });
export const Forwards = Type.Array(ForwardEntry, { maxItems: 64 });
export const True = Type.Literal(true);
export const Clipboard = oneOf(['none', 'read', 'write', 'all'], 'Rights to the clipboard');
export const Names = Type.Array(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$', description: 'The name of a variable, such as LANG' }),
  {
    maxItems: 200,
    description: 'Names of environment variables',
  },
);
export const IdentityHosts = Type.Object(
  { hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 200 }) },
  closed('Hosts that may receive the identity of the run, by exact name'),
);
export const ReadWrite = Type.Object({ read: Type.Optional(Paths), write: Type.Optional(Paths) }, closed('write includes read'));

export const DURATION_PATTERN = '^(0s|[1-9][0-9]{0,5}(s|m|h|d))$';
export const Duration = Type.String({ pattern: DURATION_PATTERN, description: 'Such as 90s, 30m, 8h or 2d' });
export const MEMORY_PATTERN = '^[1-9][0-9]{0,6}(MiB|GiB)$';
export const Amount = Type.String({ pattern: MEMORY_PATTERN, description: 'Through the way out of a run: such as 100MiB or 2GiB' });
