/** A small world in which everything that can collide does: for laws about policies. */
import fc from 'fast-check';
import { preparePolicy } from './document/prepare.ts';
import type { PreparedPolicy } from './document/prepared.ts';
import type { HostEntry, PolicyDocument } from './document/schema.ts';
import { RIGHTS, type AppliedPolicy, type EffectivePolicy, type PathVariables, type Right, type Subject } from './effective.ts';
import { resolve } from './resolve.ts';

export const VARIABLES: PathVariables = {
  home: '/home/u',
  workspace: '/home/u/w',
  tmp: '/tmp',
  tools: ['/opt', '/usr/local'],
  agent: ['/home/u/.agent'],
};

/** Places that rules name: nested, and with names that begin alike. */
const places: readonly string[] = [
  '${home}/a',
  '${home}/ab',
  '${home}/a/b',
  '${home}/a/b/c',
  '${workspace}',
  '${workspace}/x',
  '${workspace}/x/y',
  '${tools}/t',
  '${agent}',
  '/srv/d',
  '/srv/d/e',
  '/srv',
  '${home}/.config',
  '${home}',
];
const hosts: readonly string[] = ['a.com', 'b.a.com', '*.a.com', '*.b.a.com', 'c.org', '*', '198.51.100.1', '8.8.8.8'];

/** What is asked: each place, something in it, something beside it. */
export const ASKED_PATHS = [
  '/home/u',
  '/home/u/a',
  '/home/u/ab',
  '/home/u/ab/q',
  '/home/u/a/b',
  '/home/u/a/b/c/d',
  '/home/u/w',
  '/home/u/w/x',
  '/home/u/w/x/y/z',
  '/home/u/w/.git/hooks/pre-commit',
  '/home/u/.ssh/id',
  '/home/u/.config/gh/hosts.yml',
  '/home/u/.agent/s',
  '/srv',
  '/srv/d',
  '/srv/d/e/f',
  '/opt/t',
  '/usr/bin/x',
  '/tmp/y',
  '/root',
  '/',
];
export const ASKED_HOSTS = ['a.com', 'b.a.com', 'x.a.com', 'x.b.a.com', 'c.org', 'other.net', '198.51.100.1', '8.8.8.8', '8.8.4.4'];
export const ASKED_PORTS = [443, 80, 22];
export const ASKED_NAMES = ['LANG', 'TERM', 'TOKEN'];

const somePaths = fc.uniqueArray(fc.constantFrom(...places), { maxLength: 4 });
const hostEntry: fc.Arbitrary<HostEntry> = fc.record(
  {
    host: fc.constantFrom(...hosts),
    ports: fc.uniqueArray(fc.constantFrom(...ASKED_PORTS), { minLength: 1, maxLength: 2 }),
    methods: fc.constant<string[]>(['GET']),
    paths: fc.constant<string[]>(['/api']),
  },
  { requiredKeys: ['host'] },
);
const someHosts = fc.array(hostEntry, { maxLength: 3 });
const cidrs = fc.array(
  fc.record(
    { cidr: fc.constantFrom('8.8.8.0/24', '8.8.8.8', '8.0.0.0/8'), ports: fc.constant<number[]>([443, 22]) },
    { requiredKeys: ['cidr'] },
  ),
  { maxLength: 2 },
);
const names = fc.uniqueArray(fc.constantFrom(...ASKED_NAMES), { maxLength: 3 });
const clipboard = fc.constantFrom('none' as const, 'read' as const, 'write' as const, 'all' as const);
const yes = fc.constant(true as const);
const optional = { requiredKeys: [] };

const allow = fc.record(
  {
    filesystem: fc.record({ read: somePaths, write: somePaths }, optional),
    network: fc.record({ hosts: someHosts, cidrs, ingress: yes, hostLoopback: yes }, optional),
    ui: fc.record({ windows: yes, clipboard, inputInjection: yes }, optional),
    environment: names,
    identity: fc.record({ hosts: fc.uniqueArray(fc.constantFrom('a.com', 'c.org'), { maxLength: 2 }) }),
  },
  optional,
);
const deny = fc.record(
  {
    filesystem: fc.record({ access: somePaths, write: somePaths }, optional),
    network: fc.record({ hosts: someHosts, cidrs, ingress: yes, hostLoopback: yes }, optional),
    ui: fc.record({ windows: yes, clipboard, inputInjection: yes }, optional),
    environment: names,
    workspaces: fc.uniqueArray(fc.constantFrom('${home}/w', '/srv'), { maxLength: 1 }),
    identity: fc.record({ hosts: fc.uniqueArray(fc.constantFrom('a.com', 'c.org'), { maxLength: 1 }) }),
  },
  optional,
);
const limit = fc.record(
  {
    filesystem: fc.record({ read: somePaths, write: somePaths }, optional),
    network: fc.record({ hosts: someHosts, cidrs, ingress: fc.boolean(), hostLoopback: fc.boolean() }, optional),
    ui: fc.record({ windows: fc.boolean(), clipboard, inputInjection: fc.boolean() }, optional),
    environment: names,
    workspaces: fc.uniqueArray(fc.constantFrom('${home}', '/srv'), { maxLength: 2 }),
    identity: fc.record({ hosts: fc.uniqueArray(fc.constantFrom('a.com', 'c.org'), { maxLength: 2 }) }),
    resources: fc.record(
      {
        timeout: fc.constantFrom('30m', '8h'),
        memory: fc.constantFrom('512MiB', '4GiB'),
        cpu: fc.constantFrom(1, 2),
        processes: fc.constantFrom(64, 512),
      },
      optional,
    ),
    isolation: fc.constantFrom('process' as const, 'session' as const, 'vm' as const),
  },
  optional,
);

const match = fc.record(
  {
    agents: fc.constantFrom<string[]>(['claude-code'], ['codex', 'claude-code'], ['codex'], ['*']),
    users: fc.constantFrom<string[]>(['*'], ['u'], ['v']),
    os: fc.uniqueArray(fc.constantFrom('linux' as const, 'macos' as const), { minLength: 1, maxLength: 2 }),
  },
  optional,
);

const spec = fc.record(
  {
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'audit' as const),
    match,
    allow,
    deny,
    limit,
    required: fc.uniqueArray(fc.constantFrom('filesystem.read' as const, 'network.hosts' as const, 'isolation' as const), { maxLength: 2 }),
    onExpiry: fc.constantFrom('hold' as const, 'tighten' as const, 'stop' as const),
    grace: fc.constantFrom('0s', '5m'),
    uncontained: fc.constantFrom('report' as const, 'stop' as const),
    privacy: fc.record({ paths: fc.constantFrom('full' as const, 'folder' as const, 'none' as const) }, optional),
  },
  optional,
);

export const documentOf = (name: string, content: PolicyDocument['spec']): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name },
  spec: content,
});

export const applied = (id: number, document: PolicyDocument): AppliedPolicy => ({
  policy: `pol_${id}`,
  name: document.metadata.name,
  revision: 1,
  document,
  because: [{ assignment: `asg_${id}`, group: 'grp', groupName: 'developers' }],
});

/** Up to five policies with ids of their own. */
export const somePolicies: fc.Arbitrary<readonly AppliedPolicy[]> = fc
  .array(spec, { maxLength: 5 })
  .map((specs) => specs.map((content, i) => applied(i, documentOf(`policy-${i}`, content))));
export const oneSpec: fc.Arbitrary<PolicyDocument['spec']> = spec;
export const onlyAllow: fc.Arbitrary<PolicyDocument['spec']> = fc.record(
  { match, allow, required: fc.constant<[]>([]) },
  { requiredKeys: ['allow', 'required'] },
);
export const onlyNarrow: fc.Arbitrary<PolicyDocument['spec']> = fc.record({ match, deny, limit }, optional);
export const someSubject: fc.Arbitrary<Subject> = fc.record({
  agent: fc.record({
    id: fc.constantFrom('claude-code', 'codex', 'unknown'),
    proof: fc.constantFrom('proven' as const, 'claimed' as const),
  }),
  user: fc.constantFrom('u', 'v'),
  os: fc.constant('linux' as const),
});

export const prepareAll = (policies: readonly AppliedPolicy[]): readonly PreparedPolicy[] => policies.map(preparePolicy);
export const resolved = (policies: readonly AppliedPolicy[], subject: Subject, floor?: PreparedPolicy): EffectivePolicy =>
  resolve({ policies: prepareAll(policies), floor, subject, variables: VARIABLES });

export type Access =
  | { readonly kind: 'path'; readonly path: string; readonly access: 'read' | 'write' }
  | {
      readonly kind: 'host';
      readonly host: string;
      readonly port: number;
      readonly http?: { readonly method: string; readonly path: string };
    }
  | { readonly kind: 'right'; readonly right: Right }
  | { readonly kind: 'variable'; readonly name: string };

/** Everything that can be asked in this world. */
export const ACCESSES: readonly Access[] = [
  ...ASKED_PATHS.flatMap((path) => (['read', 'write'] as const).map((access): Access => ({ kind: 'path', path, access }))),
  ...ASKED_HOSTS.flatMap((host) =>
    ASKED_PORTS.flatMap((port): Access[] => [
      { kind: 'host', host, port },
      ...['GET', 'POST'].flatMap((method) =>
        ['/api/x', '/other'].map((path): Access => ({ kind: 'host', host, port, http: { method, path } })),
      ),
    ]),
  ),
  ...RIGHTS.map((right): Access => ({ kind: 'right', right })),
  ...ASKED_NAMES.map((name): Access => ({ kind: 'variable', name })),
];
