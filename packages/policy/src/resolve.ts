/**
 * Policies to effective policy, for one launch (design §5). One rule: allowed = some allow says so, every limit permits it, no deny matches. Nothing here
 * depends on an order: rules are collected as sets, and the strictest of a kind is taken.
 */
import { builtinOrigin, NEVER_GRANT, NEVER_WRITE, SYSTEM_READ } from './builtin.ts';
import type { HostEntry, PolicyDocument } from './document/schema.ts';
import { ruleId } from './document/rules.ts';
import { expandPath } from './document/variables.ts';
import type { AppliedPolicy, Effect, EffectivePolicy, HostRule, PathRule, PathVariables, RuleOrigin, Subject } from './effective.ts';
import { canonicalHostPattern } from './match/host.ts';
import { isWithin } from './match/path.ts';

export interface ResolveInput {
  readonly policies: readonly AppliedPolicy[];
  readonly floor: PolicyDocument | undefined;
  readonly subject: Subject;
  readonly variables: PathVariables;
}

interface Source {
  readonly document: PolicyDocument;
  readonly origin: (effect: Effect, section: string, rule: unknown) => RuleOrigin;
}

/** Whether a policy's match is met: `proven`, `possible` (a non-match is not proven), or `no`. */
const matchOf = (document: PolicyDocument, subject: Subject): 'proven' | 'possible' | 'no' => {
  const { agents = ['*'], users = ['*'], os = ['linux', 'macos', 'windows'] } = document.spec.match ?? {};
  if (!os.includes(subject.os)) return 'no';
  if (!users.includes('*') && !users.includes(subject.user)) return 'no';
  if (agents.includes('*')) return 'proven';
  if (subject.agent.proof === 'proven') return agents.includes(subject.agent.id) ? 'proven' : 'no';
  // A claim is no proof either way: it neither gains an allow nor escapes a deny.
  return 'possible';
};

const source = (applied: AppliedPolicy): Source => ({
  document: applied.document,
  origin: (effect, section, rule) => ({
    rule: ruleId(applied.policy, effect, section, rule),
    source: 'policy',
    policy: applied.name,
    revision: applied.revision,
    because: applied.because,
  }),
});

const floorSource = (document: PolicyDocument): Source => ({
  document,
  origin: (effect, section, rule) => ({
    rule: ruleId('floor', effect, section, rule),
    source: 'floor',
    policy: 'floor',
    revision: 1,
    because: [],
  }),
});

const hostRule = (entry: HostEntry, effect: Effect, origin: RuleOrigin): HostRule => ({
  host: canonicalHostPattern(entry.host),
  ports: entry.ports ?? (effect === 'allow' ? [443] : undefined),
  private: entry.private ?? false,
  effect,
  origin,
});

const DURATION_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** `90s`, `30m`, `8h` in milliseconds. */
export const durationMs = (text: string): number => Number(text.slice(0, -1)) * (DURATION_MS[text.at(-1) ?? ''] ?? 0);

const pathRules = ({ document, origin }: Source, effect: 'allow' | 'deny', variables: PathVariables, subject: Subject): PathRule[] =>
  Object.entries<readonly string[] | undefined>(document.spec[effect]?.filesystem ?? {}).flatMap(([access, list]) =>
    (list ?? []).flatMap((text) =>
      expandPath(text, variables, subject.os).map((path): PathRule => ({
        path,
        access: access === 'access' ? 'access' : access === 'write' ? 'write' : 'read',
        effect,
        origin: origin(effect, `filesystem.${access}`, text),
      })),
    ),
  );

const builtinPaths = (variables: PathVariables, subject: Subject): PathRule[] => {
  const rules = (
    list: readonly string[],
    set: 'system' | 'never-grant' | 'never-write',
    effect: Effect,
    access: PathRule['access'],
  ): PathRule[] =>
    list.flatMap((text) =>
      expandPath(text, variables, subject.os).map((path): PathRule => ({ path, access, effect, origin: builtinOrigin(set, text) })),
    );
  return [
    ...(subject.os === 'linux' ? rules(SYSTEM_READ, 'system', 'allow', 'read') : []),
    ...rules(NEVER_GRANT, 'never-grant', 'deny', 'access'),
    ...rules(NEVER_WRITE, 'never-write', 'deny', 'write'),
    { path: variables.tmp, access: 'write', effect: 'allow', origin: builtinOrigin('private-tmp', '${tmp}') },
  ];
};

/** Why a working directory may not be a workspace, or undefined: never a home, an ancestor of one, or a place of the system. */
const workspaceRefusal = (variables: PathVariables, os: Subject['os']): string | undefined => {
  const { workspace, home } = variables;
  if (workspace === undefined) return 'there is no working directory that could be one';
  if (isWithin(home, workspace, os)) return 'it is or contains the home directory: start in a project folder below it';
  if (os !== 'windows' && [...SYSTEM_READ, '/boot', '/sys', '/run', '/var/lib/cordon'].some((place) => isWithin(workspace, place, os)))
    return 'it is a folder of the system';
  return undefined;
};

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const distinct = <T>(items: readonly T[]): T[] => [...new Map(items.map((item) => [JSON.stringify(item), item])).values()].sort(byText);

/** Pure and total: the same set of policies gives the same result in whatever order, and twice is once. */
export const resolve = ({ policies, floor, subject, variables: given }: ResolveInput): EffectivePolicy => {
  const why = workspaceRefusal(given, subject.os);
  const variables: PathVariables = why === undefined ? given : { ...given, workspace: undefined };
  const matched = policies.map((applied) => ({ applied, match: matchOf(applied.document, subject) }));
  const granting = matched.filter(({ match }) => match === 'proven').map(({ applied }) => source(applied));
  const narrowing = [
    ...matched.filter(({ match }) => match !== 'no').map(({ applied }) => source(applied)),
    ...(floor !== undefined && matchOf(floor, subject) !== 'no' ? [floorSource(floor)] : []),
  ];
  const paths = [
    ...builtinPaths(variables, subject),
    ...granting.flatMap((s) => pathRules(s, 'allow', variables, subject)),
    ...narrowing.flatMap((s) => pathRules(s, 'deny', variables, subject)),
  ];
  const pathLimits = narrowing.flatMap(({ document, origin }) =>
    Object.entries(document.spec.limit?.filesystem ?? {}).map(([access, list]) => ({
      access: access === 'write' ? ('write' as const) : ('read' as const),
      paths: list.flatMap((text) => expandPath(text, variables, subject.os)).sort(),
      origin: origin('limit', `filesystem.${access}`, list),
    })),
  );
  const hosts = [
    ...granting.flatMap(({ document, origin }) =>
      (document.spec.allow?.network?.hosts ?? []).map((entry) => hostRule(entry, 'allow', origin('allow', 'network.hosts', entry))),
    ),
    ...narrowing.flatMap(({ document, origin }) =>
      (document.spec.deny?.network?.hosts ?? []).map((entry) => hostRule(entry, 'deny', origin('deny', 'network.hosts', entry))),
    ),
  ];
  const hostLimits = narrowing.flatMap(({ document, origin }) => {
    const limit = document.spec.limit?.network?.hosts;
    const from = origin('limit', 'network.hosts', limit ?? []);
    return limit === undefined ? [] : [{ hosts: limit.map((entry) => hostRule(entry, 'limit', from)), origin: from }];
  });
  const timeouts = narrowing.flatMap(({ document, origin }) => {
    const timeout = document.spec.limit?.resources?.timeout;
    return timeout === undefined ? [] : [{ value: durationMs(timeout), origin: origin('limit', 'resources.timeout', timeout) }];
  });
  const refused =
    granting.length > 0
      ? undefined
      : {
          code: 'launch.no-policy',
          message: `no policy on this device allows anything to agent ${subject.agent.id} (${subject.agent.proof}) of user ${subject.user}`,
        };
  return {
    subject,
    refused,
    paths: distinct(paths),
    pathLimits: distinct(pathLimits),
    hosts: distinct(hosts),
    hostLimits: distinct(hostLimits),
    environment: distinct(
      granting.flatMap(({ document, origin }) =>
        (document.spec.allow?.environment ?? []).map((name) => ({ name, origin: origin('allow', 'environment', name) })),
      ),
    ),
    timeoutMs: timeouts.toSorted((a, b) => a.value - b.value || byText(a.origin, b.origin))[0],
    required: [...new Set(narrowing.flatMap(({ document }) => document.spec.required ?? []))].sort(),
    workspace: why === undefined ? { allowed: true, why: 'the working directory' } : { allowed: false, why },
  };
};
