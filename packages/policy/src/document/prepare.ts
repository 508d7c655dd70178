/** A policy's document to prepared rules. Done once per revision, not per launch. */
import type { AppliedPolicy, CidrRule, HostRule, Right, RightLimit, RightRule, RuleOrigin, Stated } from '../effective.ts';
import { RIGHTS } from '../effective.ts';
import { canonicalHost } from '../match/host.ts';
import type { PreparedPath, PreparedPaths, PreparedPolicy } from './prepared.ts';
import { ruleId, type RuleKind } from './rules.ts';
import { DEFAULT_REQUIRED } from './controls.ts';
import { cidrRule, forwardRule, hostRule } from './network-rules.ts';
import type { PolicyDocument } from './schema.ts';
import { durationMs, memoryBytes } from './units.ts';
import { parsePathText, type PathTemplate } from './variables.ts';

type Origin = (kind: RuleKind, section: string, rule: unknown) => RuleOrigin;
type Verb = 'allow' | 'deny';

const CLIPBOARD: Readonly<Record<string, readonly Right[]>> = {
  none: [],
  read: ['ui.clipboard.read'],
  write: ['ui.clipboard.write'],
  all: ['ui.clipboard.read', 'ui.clipboard.write'],
};

interface Switches {
  readonly ui?: { readonly windows?: boolean; readonly clipboard?: string; readonly inputInjection?: boolean };
  readonly network?: { readonly ingress?: boolean; readonly hostLoopback?: boolean };
}

/** Each field that is stated, the rights that it is about, and those that it names. */
export const switches = ({
  ui,
  network,
}: Switches): readonly {
  readonly section: string;
  readonly value: unknown;
  readonly about: readonly Right[];
  readonly named: readonly Right[];
}[] => {
  const one = (section: string, right: Right, value: boolean | undefined) =>
    value === undefined ? [] : [{ section, value, about: [right], named: value ? [right] : [] }];
  return [
    ...one('ui.windows', 'ui.windows', ui?.windows),
    ...(ui?.clipboard === undefined
      ? []
      : [
          {
            section: 'ui.clipboard',
            value: ui.clipboard,
            about: RIGHTS.filter((right) => right.startsWith('ui.clipboard')),
            named: CLIPBOARD[ui.clipboard] ?? [],
          },
        ]),
    ...one('ui.inputInjection', 'ui.input-injection', ui?.inputInjection),
    ...one('network.ingress', 'network.ingress', network?.ingress),
    ...one('network.hostLoopback', 'network.host-loopback', network?.hostLoopback),
  ];
};

/** Once each, in the order of their ids: a rule that stands twice in a list is one rule. */
const ordered = <T extends { readonly origin: RuleOrigin }>(rules: readonly T[], detail: (rule: T) => string = () => ''): readonly T[] =>
  [...new Map(rules.map((rule) => [`${rule.origin.rule} ${detail(rule)}`, rule])).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, rule]) => rule);

const preparePaths = (document: PolicyDocument, verb: Verb, origin: Origin): readonly PreparedPath[] => {
  const lists: Readonly<Record<string, readonly string[] | undefined>> = document.spec[verb]?.filesystem ?? {};
  return ordered(
    Object.entries(lists).flatMap(([access, list]) =>
      (list ?? []).map((text): PreparedPath => ({
        template: parsePathText(text),
        access: access === 'write' ? 'write' : access === 'access' ? 'access' : 'read',
        effect: verb,
        origin: origin(verb, `filesystem.${access}`, text),
      })),
    ),
  );
};

const prepareLimits = ({ spec: { limit } }: PolicyDocument, origin: Origin) => {
  const hosts = limit?.network?.hosts;
  const cidrs = limit?.network?.cidrs;
  const from = (section: string, rule: unknown): RuleOrigin => origin('limit', section, rule);
  const templates = (list: readonly string[]): readonly PathTemplate[] => list.map(parsePathText);
  return {
    pathLimits: (['read', 'write'] as const).flatMap((access): PreparedPaths[] => {
      const list = limit?.filesystem?.[access];
      return list === undefined ? [] : [{ access, templates: templates(list), origin: from(`filesystem.${access}`, list) }];
    }),
    hostLimits:
      hosts === undefined
        ? []
        : [
            {
              hosts: hosts.map((entry) => hostRule(entry, 'limit', from('network.hosts', hosts))),
              boundsManner: false,
              origin: from('network.hosts', hosts),
            },
          ],
    cidrLimits:
      cidrs === undefined
        ? []
        : [{ cidrs: cidrs.map((entry) => cidrRule(entry, 'limit', from('network.cidrs', cidrs))), origin: from('network.cidrs', cidrs) }],
    rightLimits: switches(limit ?? {}).map(({ section, value, about, named }): RightLimit => ({
      bounds: about,
      permits: named,
      origin: from(section, value),
    })),
    nameLimits: limit?.environment === undefined ? [] : [{ names: limit.environment, origin: from('environment', limit.environment) }],
    workspaceLimits:
      limit?.workspaces === undefined
        ? []
        : [{ access: 'write' as const, templates: templates(limit.workspaces), origin: from('workspaces', limit.workspaces) }],
    identityLimits:
      limit?.identity === undefined
        ? []
        : [{ hosts: new Set(limit.identity.hosts.map(canonicalHost)), origin: from('identity.hosts', limit.identity.hosts) }],
  };
};

const stated = <T, V>(text: T | undefined, section: string, origin: Origin, read: (text: T) => V): Stated<V> | undefined =>
  text === undefined ? undefined : { value: read(text), origin: origin('limit', section, text) };

/**
 * Pure. What the schema allows but nothing could mean (a host that is none) throws here, so that a bundle is refused before it is in force.
 * @throws CordonError `path.*`, `host.invalid`, `cidr.invalid`, `url.path`
 */
export const prepareDocument = (document: PolicyDocument, key: string, name: string, origin: Origin): PreparedPolicy => {
  const { spec } = document;
  const { match, allow, deny, limit } = spec;
  const resources = limit?.resources;
  const same = <T>(value: T): T => value;
  const hosts = (verb: Verb): readonly HostRule[] =>
    ordered((spec[verb]?.network?.hosts ?? []).map((entry) => hostRule(entry, verb, origin(verb, 'network.hosts', entry))));
  const forwards = ordered((allow?.network?.forwards ?? []).map((entry) => forwardRule(entry, origin('allow', 'network.forwards', entry))));
  const cidrs = (verb: Verb): readonly CidrRule[] =>
    ordered((spec[verb]?.network?.cidrs ?? []).map((entry) => cidrRule(entry, verb, origin(verb, 'network.cidrs', entry))));
  const rights = (verb: Verb): readonly RightRule[] =>
    ordered(
      switches(spec[verb] ?? {}).flatMap(({ section, value, named }) =>
        named.map((right): RightRule => ({ right, effect: verb, origin: origin(verb, section, value) })),
      ),
      ({ right }) => right,
    );
  const identity = (verb: Verb): readonly HostRule[] =>
    ordered(
      (spec[verb]?.identity?.hosts ?? []).map((host) => ({
        ...hostRule({ host }, verb, origin(verb, 'identity.hosts', host)),
        host: canonicalHost(host),
        ports: undefined,
      })),
    );
  return {
    key,
    name,
    mode: spec.mode ?? 'enforce',
    match: {
      agents: new Set(match?.agents ?? ['*']),
      users: new Set(match?.users ?? ['*']),
      os: new Set(match?.os ?? ['linux', 'macos', 'windows']),
    },
    noRun: deny?.run === true ? origin('deny', 'run', true) : undefined,
    allowedPaths: preparePaths(document, 'allow', origin),
    deniedPaths: preparePaths(document, 'deny', origin),
    allowedHosts: [...hosts('allow'), ...forwards],
    deniedHosts: hosts('deny'),
    allowedCidrs: cidrs('allow'),
    deniedCidrs: cidrs('deny'),
    allowedRights: rights('allow'),
    deniedRights: rights('deny'),
    allowedNames: ordered(
      (allow?.environment ?? []).map((variable) => ({
        name: variable,
        effect: 'allow' as const,
        origin: origin('allow', 'environment', variable),
      })),
    ),
    deniedNames: ordered(
      (deny?.environment ?? []).map((variable) => ({
        name: variable,
        effect: 'deny' as const,
        origin: origin('deny', 'environment', variable),
      })),
    ),
    deniedWorkspaces: ordered(
      (deny?.workspaces ?? []).map((text) => ({
        template: parsePathText(text),
        access: 'access' as const,
        effect: 'deny' as const,
        origin: origin('deny', 'workspaces', text),
      })),
    ),
    allowedIdentity: identity('allow'),
    deniedIdentity: identity('deny'),
    ...prepareLimits(document, origin),
    timeoutMs: stated(resources?.timeout, 'resources.timeout', origin, durationMs),
    memoryBytes: stated(resources?.memory, 'resources.memory', origin, memoryBytes),
    cpus: stated(resources?.cpu, 'resources.cpu', origin, same),
    processes: stated(resources?.processes, 'resources.processes', origin, same),
    uploadBytes: stated(resources?.upload, 'resources.upload', origin, memoryBytes),
    downloadBytes: stated(resources?.download, 'resources.download', origin, memoryBytes),
    isolation: stated(limit?.isolation, 'isolation', origin, same),
    onExpiry: spec.onExpiry,
    graceMs: spec.grace === undefined ? undefined : durationMs(spec.grace),
    uncontained: spec.uncontained,
    privacy: spec.privacy ?? {},
    required: spec.required ?? DEFAULT_REQUIRED,
    owner: {
      ...(document.metadata.owner !== undefined && { owner: document.metadata.owner }),
      ...(document.metadata.contact !== undefined && { contact: document.metadata.contact }),
    },
  };
};

/** @throws CordonError as above */
export const preparePolicy = ({ policy, name, revision, document, because }: AppliedPolicy): PreparedPolicy =>
  prepareDocument(document, `${policy}@${revision}`, name, (kind, section, rule) => ({
    rule: ruleId(policy, kind, section, rule),
    source: 'policy',
    policy: name,
    revision,
    because,
  }));

/** The floor narrows and grants nothing, whatever it holds. @throws CordonError as above */
export const prepareFloor = (document: PolicyDocument, version: number): PreparedPolicy => {
  const { allow: _never, ...spec } = document.spec;
  return prepareDocument({ ...document, spec: { required: [], ...spec, mode: 'enforce' } }, 'floor', 'floor', (kind, section, rule) => ({
    rule: ruleId('floor', kind, section, rule),
    source: 'floor',
    policy: 'floor',
    revision: version,
    because: [],
  }));
};
