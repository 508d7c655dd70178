/**
 * Policies to effective policy, for one launch. One rule: allowed = some allow says so, every limit permits it, no deny matches. Nothing here depends on the
 * order in which policies are given: they are put into the order of their keys, rules are collected as sets, and the strictest of a kind is taken.
 */
import { builtinOrigin, NEVER_GRANT, NEVER_WRITE, SYSTEM_READ } from './builtin.ts';
import type { PreparedPath, PreparedPaths, PreparedPolicy } from './document/prepared.ts';
import { expandPath, parsePathText } from './document/variables.ts';
import type { EffectivePolicy, HostRule, PathLimit, PathRule, PathVariables, Subject } from './effective.ts';
import { expiryOf, resourcesOf, settingsOf } from './settings.ts';
import { workspaceRefusal } from './workspace.ts';

export interface ResolveInput {
  readonly policies: readonly PreparedPolicy[];
  readonly floor: PreparedPolicy | undefined;
  readonly subject: Subject;
  readonly variables: PathVariables;
}

/** Linux alone tells accounts apart by case. */
const hasAccount = (users: ReadonlySet<string>, { user, os }: Subject): boolean =>
  users.has(user) || (os !== 'linux' && [...users].some((name) => name.toLowerCase() === user.toLowerCase()));

/** Whether a policy's match is met: `proven`, `possible` (a non-match is not proven), or `no`. */
const matchOf = ({ match: { agents, users, os } }: PreparedPolicy, subject: Subject): 'proven' | 'possible' | 'no' => {
  if (!os.has(subject.os)) return 'no';
  if (!users.has('*') && !hasAccount(users, subject)) return 'no';
  if (agents.has('*')) return 'proven';
  if (subject.agent.proof === 'proven') return agents.has(subject.agent.id) ? 'proven' : 'no';
  // A claim is no proof either way: it neither gains an allow nor escapes a deny.
  return 'possible';
};

const expand = (rules: readonly PreparedPath[], variables: PathVariables, os: Subject['os'], into: PathRule[]): void => {
  for (const { template, access, effect, origin } of rules)
    for (const path of expandPath(template, variables, os)) into.push({ path, access, effect, origin });
};

const expandLimits = (limits: readonly PreparedPaths[], variables: PathVariables, os: Subject['os']): PathLimit[] =>
  limits.map(({ access, templates, origin }) => ({
    access,
    paths: templates.flatMap((template) => expandPath(template, variables, os)),
    origin,
  }));

/** The built-in sets of one operating system, as prepared rules: they resolve like any other. */
const builtin = (os: Subject['os']): readonly PreparedPath[] => {
  const rules = (
    list: readonly string[],
    set: 'system' | 'never-grant' | 'never-write',
    effect: 'allow' | 'deny',
    access: PathRule['access'],
  ): PreparedPath[] => list.map((text) => ({ template: parsePathText(text), access, effect, origin: builtinOrigin(set, text) }));
  return [
    ...rules(SYSTEM_READ[os], 'system', 'allow', 'read'),
    ...rules(NEVER_GRANT[os], 'never-grant', 'deny', 'access'),
    ...rules(NEVER_WRITE[os], 'never-write', 'deny', 'write'),
    ...rules(['${tmp}'], 'system', 'allow', 'write').map((rule) => ({ ...rule, origin: builtinOrigin('private-tmp', '${tmp}') })),
  ];
};
const BUILTIN: Readonly<Record<Subject['os'], readonly PreparedPath[]>> = {
  linux: builtin('linux'),
  macos: builtin('macos'),
  windows: builtin('windows'),
};

/** The private tmp is the sandbox's and granted already: a grant of it would bring the place of the same name of the host. */
const isElsewhere = ({ template }: PreparedPath): boolean => template.kind !== 'variable' || template.variable !== 'tmp';

/** Hosts that may receive the run's identity: what the allows name, within every limit, without what is denied. */
const identityOf = (granting: readonly PreparedPolicy[], narrowing: readonly PreparedPolicy[]): readonly HostRule[] => {
  const denied = new Set(narrowing.flatMap((policy) => policy.deniedIdentity.map(({ host }) => host)));
  const limits = narrowing.flatMap((policy) => policy.identityLimits);
  return granting
    .flatMap((policy) => policy.allowedIdentity)
    .filter(({ host }) => !denied.has(host) && limits.every((limit) => limit.hosts.has(host)));
};

const refusalOf = (
  granting: readonly PreparedPolicy[],
  narrowing: readonly PreparedPolicy[],
  { agent, user }: Subject,
): EffectivePolicy['refused'] => {
  const origin = narrowing.find((policy) => policy.noRun !== undefined)?.noRun;
  if (origin !== undefined)
    return {
      code: 'launch.denied',
      message: `${origin.policy} says that agent ${agent.id} of user ${user} does not start here (rule ${origin.rule})`,
      origin,
    };
  if (granting.length > 0) return undefined;
  return {
    code: 'launch.no-policy',
    message: `no policy on this device allows anything to agent ${agent.id} (${agent.proof}) of user ${user}`,
  };
};

const byKey = (policies: readonly PreparedPolicy[]): readonly PreparedPolicy[] =>
  [...new Map(policies.map((policy) => [policy.key, policy])).values()].sort((a, b) => (a.key < b.key ? -1 : 1));

const resolveAll = (policies: readonly PreparedPolicy[], { floor, subject, variables: given }: ResolveInput): EffectivePolicy => {
  const { os } = subject;
  const matched = policies.map((policy) => ({ policy, match: matchOf(policy, subject) })).filter(({ match }) => match !== 'no');
  const granting = matched.filter(({ match }) => match === 'proven').map(({ policy }) => policy);
  const floors = floor !== undefined && matchOf(floor, subject) !== 'no' ? [floor] : [];
  const narrowing = [...matched.map(({ policy }) => policy), ...floors];
  const deniedWorkspaces: PathRule[] = [];
  for (const policy of narrowing) expand(policy.deniedWorkspaces, given, os, deniedWorkspaces);
  const workspaceLimits = narrowing.flatMap((policy) => expandLimits(policy.workspaceLimits, given, os));
  const why = workspaceRefusal(given, os, deniedWorkspaces, workspaceLimits);
  // What is only claimed grants nothing: a claim must not choose whose folders it gets.
  const variables: PathVariables = {
    ...given,
    workspace: why === undefined ? given.workspace : undefined,
    agent: subject.agent.proof === 'proven' ? given.agent : [],
  };
  const paths: PathRule[] = [];
  // A directory that may not be a workspace is granted nothing as one, and stays protected as one.
  expand(BUILTIN[os], given, os, paths);
  const grants: PathRule[] = [];
  for (const policy of granting) expand(policy.allowedPaths.filter(isElsewhere), variables, os, grants);
  paths.push(...grants.filter(({ path }) => path !== given.tmp));
  for (const policy of narrowing) expand(policy.deniedPaths, given, os, paths);
  return {
    subject,
    refused: refusalOf(granting, narrowing, subject),
    paths,
    pathLimits: narrowing.flatMap((policy) => expandLimits(policy.pathLimits, variables, os)),
    hosts: [...granting.flatMap((policy) => policy.allowedHosts), ...narrowing.flatMap((policy) => policy.deniedHosts)],
    hostLimits: narrowing.flatMap((policy) => policy.hostLimits),
    cidrs: [...granting.flatMap((policy) => policy.allowedCidrs), ...narrowing.flatMap((policy) => policy.deniedCidrs)],
    cidrLimits: narrowing.flatMap((policy) => policy.cidrLimits),
    rights: [...granting.flatMap((policy) => policy.allowedRights), ...narrowing.flatMap((policy) => policy.deniedRights)],
    rightLimits: narrowing.flatMap((policy) => policy.rightLimits),
    environment: [...granting.flatMap((policy) => policy.allowedNames), ...narrowing.flatMap((policy) => policy.deniedNames)],
    environmentLimits: narrowing.flatMap((policy) => policy.nameLimits),
    identity: identityOf(granting, narrowing),
    resources: resourcesOf(narrowing),
    settings: { ...settingsOf(narrowing), onExpiry: expiryOf(narrowing, floors) },
    required: [...new Set(narrowing.flatMap((policy) => policy.required))].sort(),
    owners: Object.fromEntries(
      narrowing.filter(({ owner }) => owner.owner !== undefined || owner.contact !== undefined).map(({ name, owner }) => [name, owner]),
    ),
    workspace: why === undefined ? { allowed: true, why: 'the working directory' } : { allowed: false, why },
  };
};

/** What is enforced. Pure and total: the same set of policies gives the same result in whatever order, and twice is once. */
export const resolve = (input: ResolveInput): EffectivePolicy =>
  resolveAll(byKey(input.policies.filter(({ mode }) => mode === 'enforce')), input);

/** What would be enforced if policies in audit mode were: for reports beside the verdict. @returns undefined when there are none */
export const resolveAudit = (input: ResolveInput): EffectivePolicy | undefined =>
  input.policies.some(({ mode }) => mode === 'audit') ? resolveAll(byKey(input.policies), input) : undefined;
