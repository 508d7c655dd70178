/**
 * Nested runs: a child may do what its own policies allow and its parent may do too. Each kind of allow of the parent becomes one limit of the child,
 * by concrete paths and names, whatever the variables of the child stand for; the parent's denies and limits hold for the child as they are.
 */
import { indexPaths } from './decide/paths.ts';
import {
  EXPIRIES,
  ISOLATIONS,
  PRIVACY,
  RIGHTS,
  UNCONTAINED,
  type Effect,
  type EffectivePolicy,
  type PathLimit,
  type PathRule,
  type Resources,
  type RuleOrigin,
  type Settings,
} from './effective.ts';
import { smallest, strictest } from './settings.ts';

const originOf = (section: string): RuleOrigin => ({
  rule: `parent:${section}`,
  source: 'parent',
  policy: 'parent run',
  revision: 1,
  because: [],
});

/** Each once, those of the child first: enclosing twice is enclosing once. */
const together = <T>(...lists: readonly (readonly T[])[]): readonly T[] => [
  ...new Map(lists.flat().map((rule) => [JSON.stringify(rule), rule])).values(),
];

const only = <T extends { readonly effect: Effect }>(rules: readonly T[], effect: Effect): readonly T[] =>
  rules.filter((rule) => rule.effect === effect);

/** What the parent was granted. Not its private tmp: the child has another one at the same place. Nor the system's folders: the child has its own. */
const granted = ({ paths }: EffectivePolicy): readonly PathRule[] =>
  paths.filter(({ effect, origin }) => effect === 'allow' && origin.source !== 'builtin');

const pathsOf = (rules: readonly PathRule[]): readonly string[] => [...new Set(rules.map(({ path }) => path))].sort();

const pathLimitsOf = (parent: EffectivePolicy): readonly PathLimit[] => [
  { access: 'read', paths: pathsOf(granted(parent)), origin: originOf('filesystem.read') },
  {
    access: 'write',
    paths: pathsOf(granted(parent).filter(({ access }) => access === 'write')),
    origin: originOf('filesystem.write'),
  },
];

/** A built-in allow is under no limit, so a child keeps only what its parent may do too: a private tmp elsewhere must lie in a place of the parent's. */
const keptPaths = (child: EffectivePolicy, parent: EffectivePolicy): readonly PathRule[] => {
  const index = indexPaths({ ...parent, paths: only(parent.paths, 'allow') });
  return child.paths.filter(
    ({ effect, origin, path, access }) =>
      effect !== 'allow' || origin.source !== 'builtin' || index.allows(path, access === 'write' ? 'write' : 'read'),
  );
};

const resourcesOf = (child: Resources, parent: Resources): Resources => ({
  timeoutMs: smallest([child.timeoutMs, parent.timeoutMs]),
  memoryBytes: smallest([child.memoryBytes, parent.memoryBytes]),
  cpus: smallest([child.cpus, parent.cpus]),
  processes: smallest([child.processes, parent.processes]),
  uploadBytes: smallest([child.uploadBytes, parent.uploadBytes]),
  downloadBytes: smallest([child.downloadBytes, parent.downloadBytes]),
});

const settingsOf = (child: Settings, parent: Settings): Settings => {
  const isolation = strictest(ISOLATIONS, [child.isolation?.value, parent.isolation?.value]);
  return {
    isolation: [child.isolation, parent.isolation].find((stated) => stated?.value === isolation),
    onExpiry: strictest(EXPIRIES, [child.onExpiry, parent.onExpiry]),
    graceMs: Math.min(child.graceMs, parent.graceMs),
    uncontained: strictest(UNCONTAINED, [child.uncontained, parent.uncontained]),
    privacy: {
      paths: strictest(PRIVACY.paths, [child.privacy.paths, parent.privacy.paths]),
      hosts: strictest(PRIVACY.hosts, [child.privacy.hosts, parent.privacy.hosts]),
      users: strictest(PRIVACY.users, [child.privacy.users, parent.privacy.users]),
    },
  };
};

/**
 * Pure and total. Law: what the result allows, the child's policy allows and the parent's allows. A child under its parent's own policy may do exactly
 * what the parent may.
 * @param child what the child's own policies, and manifest, give
 * @param parent what the parent is under, enclosed by its own parent if it has one
 */
export const enclose = (child: EffectivePolicy, parent: EffectivePolicy): EffectivePolicy => ({
  subject: child.subject,
  refused: child.refused ?? parent.refused,
  paths: together(keptPaths(child, parent), only(parent.paths, 'deny')),
  pathLimits: together(child.pathLimits, parent.pathLimits, pathLimitsOf(parent)),
  hosts: together(child.hosts, only(parent.hosts, 'deny')),
  hostLimits: together(child.hostLimits, parent.hostLimits, [
    {
      hosts: only(parent.hosts, 'allow').map((rule) => ({ ...rule, effect: 'limit' })),
      cidrs: only(parent.cidrs, 'allow').map((rule) => ({ ...rule, effect: 'limit' })),
      boundsManner: true,
      origin: originOf('network.hosts'),
    },
  ]),
  cidrs: together(child.cidrs, only(parent.cidrs, 'deny')),
  cidrLimits: together(child.cidrLimits, parent.cidrLimits),
  rights: together(child.rights, only(parent.rights, 'deny')),
  rightLimits: together(child.rightLimits, parent.rightLimits, [
    {
      bounds: RIGHTS,
      permits: RIGHTS.filter((right) => parent.rights.some((rule) => rule.right === right && rule.effect === 'allow')),
      origin: originOf('rights'),
    },
  ]),
  environment: together(child.environment, only(parent.environment, 'deny')),
  environmentLimits: together(child.environmentLimits, parent.environmentLimits, [
    { names: [...new Set(only(parent.environment, 'allow').map(({ name }) => name))].sort(), origin: originOf('environment') },
  ]),
  identity: child.identity.filter(({ host }) => parent.identity.some((rule) => rule.host === host)),
  resources: resourcesOf(child.resources, parent.resources),
  settings: settingsOf(child.settings, parent.settings),
  owners: { ...parent.owners, ...child.owners },
  required: [...new Set([...child.required, ...parent.required])].sort(),
  workspace: child.workspace,
});
