/**
 * Valid policies of every section, for all three operating systems, and what can be asked about them. Paths nest, begin alike and differ in case; hosts overlap.
 * For laws only.
 */
import fc from 'fast-check';
import { CONTROLS } from './document/controls.ts';
import { preparePolicy } from './document/prepare.ts';
import type { CidrEntry, HostEntry, PolicyDocument } from './document/schema.ts';
import { expandPath, parsePathText } from './document/variables.ts';
import {
  EXPIRIES,
  ISOLATIONS,
  PRIVACY,
  UNCONTAINED,
  type AppliedPolicy,
  type EffectivePolicy,
  type OperatingSystem,
  type PathVariables,
  type Subject,
} from './effective.ts';
import { canonicalPath } from './match/path.ts';
import { resolve } from './resolve.ts';

type Spec = PolicyDocument['spec'];

const posix = (home: string, tmp: string, tools: readonly string[]): PathVariables => ({
  home,
  workspace: `${home}/src/app`,
  tmp,
  tools,
  agent: [`${home}/.agent`],
});
export const LAUNCH: Readonly<Record<OperatingSystem, PathVariables>> = {
  linux: posix('/home/ann', '/tmp', ['/usr/local', '/opt']),
  macos: posix('/Users/ann', '/private/var/cordon/run', ['/usr/local', '/opt/homebrew']),
  windows: {
    home: 'C:\\Users\\ann',
    workspace: 'C:\\Users\\ann\\src\\app',
    tmp: 'C:\\ProgramData\\CordonRuns\\run',
    tools: ['C:\\tools'],
    agent: ['C:\\Users\\ann\\.agent'],
  },
};

const PLACES: readonly string[] = [
  '${home}',
  '${home}/x',
  '${home}/X/y',
  '${home}/xy',
  '${home}/x/y',
  '${home}/x/y/z',
  '${home}/.config',
  '${home}/src',
  '${workspace}',
  '${workspace}/a',
  '${workspace}/ab',
  '${workspace}/a/b',
  '${workspace}/a/b/c',
  '${workspace}/.git',
  '${tools}',
  '${tools}/t',
  '${agent}',
  '${tmp}/q',
  '/srv/a',
  '/srv/ab',
  '/srv/a/b',
  '/srv',
  '/etc/app',
  '/etc',
  '/usr',
  'C:\\data\\a',
  'C:\\data\\ab',
  'C:\\data\\a\\b',
  'C:\\data',
  'C:\\Windows\\App',
];

const separated = (path: string, os: OperatingSystem): string => (os === 'windows' ? path.replaceAll('/', '\\') : path);

/** Each place that a rule can name, something in it, and what the built-in sets are about. */
const pathsOf = (os: OperatingSystem): readonly string[] => {
  const places = [...PLACES, ...NESTED].flatMap((text) => expandPath(parsePathText(text), LAUNCH[os], os));
  const { home, workspace = home } = LAUNCH[os];
  const also = [
    `${home}/.ssh/id`,
    `${home}/.config/gh/hosts`,
    `${home}/.bashrc`,
    `${workspace}/.git/hooks/pre-commit`,
    `${workspace}/.git/x`,
  ];
  const outside = os === 'windows' ? ['C:\\Other', 'C:\\Windows\\x', 'C:\\data\\abc'] : ['/other', '/usr/bin/x', '/srv/abc', '/etc/app/f'];
  return [
    ...new Set([...places, ...places.map((place) => `${place}/f`), ...also].map((path) => separated(path, os))),
    ...outside.map((path) => canonicalPath(path, os)),
  ];
};

/** One inside the other, so that what a rule gives, hides and protects often meets. */
const NESTED: readonly string[] = ['${workspace}', '${workspace}/a', '${workspace}/a/b', '${workspace}/a/b/c', '${workspace}/a/b/c/d'];
const ASKED: Readonly<Record<OperatingSystem, readonly string[]>> = {
  linux: pathsOf('linux'),
  macos: pathsOf('macos'),
  windows: pathsOf('windows'),
};
/** What is asked about paths. */
export const askedPaths = (os: OperatingSystem): readonly string[] => ASKED[os];

const places = fc.oneof(
  fc.uniqueArray(fc.constantFrom(...PLACES), { maxLength: 4 }),
  fc.uniqueArray(fc.constantFrom(...NESTED), { maxLength: 2 }),
);
const port = fc.constantFrom(443, 80, 8443);
const ports = fc.uniqueArray(port, { minLength: 1, maxLength: 2 });
const optional = { requiredKeys: [] };
const http = {
  methods: fc.uniqueArray(fc.constantFrom('GET', 'POST'), { minLength: 1, maxLength: 2 }),
  paths: fc.constantFrom<string[]>(['/api'], ['/api', '/v1/']),
};
const host = fc.constantFrom('example.com', 'api.example.com', '*.example.com', '*.api.example.com', 'other.test', '*', '8.8.8.8');
/** Any host goes in a deny or limit; an allow names private ones exactly and says that it means them. */
const publicHost: fc.Arbitrary<HostEntry> = fc.record({ host, ports, ...http }, { requiredKeys: ['host'] });
const privateHost: fc.Arbitrary<HostEntry> = fc.record({ host: fc.constantFrom('intranet.test', '10.1.2.3'), private: fc.constant(true) });
const hosts = fc.array(fc.oneof(publicHost, privateHost), { maxLength: 3 });
const forwards = fc.array(fc.record({ host: fc.constantFrom('example.com', 'db.other.test', '8.8.8.8'), port }), { maxLength: 2 });
const cidrs: fc.Arbitrary<CidrEntry[]> = fc.array(
  fc.oneof(
    fc.record(
      { cidr: fc.constantFrom('198.18.0.1', '8.8.8.0/24', '2600::/32'), private: fc.constant(true), ports },
      { requiredKeys: ['cidr', 'private'] },
    ),
    fc.record({ cidr: fc.constant('9.9.0.0/16'), except: fc.constantFrom<string[]>(['9.9.9.0/24'], ['9.9.9.9', '9.9.1.0/24']) }),
  ),
  { maxLength: 2 },
);
const names = fc.uniqueArray(fc.constantFrom('LANG', 'TERM', 'TOKEN', 'CI'), { maxLength: 3 });
const clipboard = fc.constantFrom('none' as const, 'read' as const, 'write' as const, 'all' as const);
const yes = fc.constant(true as const);
const identity = fc.record({ hosts: fc.uniqueArray(fc.constantFrom('api.example.com', 'other.test'), { maxLength: 2 }) });
const workspaces = fc.uniqueArray(fc.constantFrom('${home}/src', '${home}', '/srv', 'C:\\data'), { maxLength: 2 });

const allow = fc.record(
  {
    filesystem: fc.record({ read: places, write: places }, optional),
    network: fc.record({ hosts, cidrs, forwards, ingress: yes, hostLoopback: yes }, optional),
    ui: fc.record({ windows: yes, clipboard, inputInjection: yes }, optional),
    environment: names,
    identity,
  },
  optional,
);
const deny = fc.record(
  {
    filesystem: fc.record({ access: places, write: places }, optional),
    network: fc.record({ hosts, cidrs, ingress: yes, hostLoopback: yes }, optional),
    ui: fc.record({ windows: yes, clipboard, inputInjection: yes }, optional),
    environment: names,
    workspaces,
    identity,
  },
  optional,
);
const limit = fc.record(
  {
    filesystem: fc.record({ read: places, write: places }, optional),
    network: fc.record({ hosts, cidrs, ingress: fc.boolean(), hostLoopback: fc.boolean() }, optional),
    ui: fc.record({ windows: fc.boolean(), clipboard, inputInjection: fc.boolean() }, optional),
    environment: names,
    workspaces,
    identity,
    resources: fc.record(
      {
        timeout: fc.constantFrom('0s', '90s', '8h', '999999d'),
        memory: fc.constantFrom('512MiB', '4GiB'),
        cpu: fc.constantFrom(0.5, 1, 2, 2.5),
        processes: fc.constantFrom(1, 512),
        upload: fc.constantFrom('1MiB', '2GiB'),
        download: fc.constantFrom('1MiB', '2GiB'),
      },
      optional,
    ),
    isolation: fc.constantFrom(...ISOLATIONS),
  },
  optional,
);
const match = fc.record(
  {
    agents: fc.constantFrom<string[]>(['*'], ['claude-code'], ['claude-code', 'codex'], ['codex']),
    users: fc.constantFrom<string[]>(['*'], ['ann'], ['bob']),
    os: fc.uniqueArray(fc.constantFrom('linux' as const, 'macos' as const, 'windows' as const), { minLength: 2, maxLength: 3 }),
  },
  optional,
);

export const arbitrarySpec: fc.Arbitrary<Spec> = fc.record(
  {
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'enforce' as const, 'audit' as const),
    match,
    allow,
    deny,
    limit,
    required: fc.uniqueArray(fc.constantFrom(...CONTROLS), { maxLength: 4 }),
    onExpiry: fc.constantFrom(...EXPIRIES),
    grace: fc.constantFrom('0s', '5m'),
    uncontained: fc.constantFrom(...UNCONTAINED),
    privacy: fc.record(
      {
        paths: fc.constantFrom(...PRIVACY.paths),
        hosts: fc.constantFrom(...PRIVACY.hosts),
        users: fc.constantFrom(...PRIVACY.users),
      },
      optional,
    ),
  },
  optional,
);

export const policyOf = (id: number, spec: Spec): AppliedPolicy => ({
  policy: `pol_${id}`,
  name: `policy-${id}`,
  revision: 1,
  document: {
    apiVersion: 'cordon/v1',
    kind: 'ContainmentPolicy',
    metadata: { name: `policy-${id}`, description: 'generated', owner: 'laws', contact: 'laws@example.com' },
    spec,
  },
  because: [{ assignment: `asg_${id}`, group: 'grp', groupName: 'developers' }],
});

/** Up to four policies, each with an id of its own. */
export const arbitraryPolicies: fc.Arbitrary<readonly AppliedPolicy[]> = fc
  .array(arbitrarySpec, { maxLength: 4 })
  .map((specs) => specs.map((spec, i) => policyOf(i, spec)));

export const arbitrarySystem: fc.Arbitrary<OperatingSystem> = fc.constantFrom('linux' as const, 'macos' as const, 'windows' as const);

/** What results for ann's proven claude-code in her workspace. */
export const effectiveOf = (
  policies: readonly AppliedPolicy[],
  os: OperatingSystem,
  agent: Subject['agent'] = { id: 'claude-code', proof: 'proven' },
): EffectivePolicy =>
  resolve({ policies: policies.map(preparePolicy), floor: undefined, subject: { agent, user: 'ann', os }, variables: LAUNCH[os] });
