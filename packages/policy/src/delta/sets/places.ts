/** What a set of policies says about places for one subject, whatever the path variables stand for: each variable is a root of its own that nothing else names. */
import type { PreparedPaths, PreparedPolicy } from '../../document/prepared.ts';
import type { PathTemplate } from '../../document/variables.ts';
import type { EffectivePolicy, OperatingSystem, PathVariables, Subject } from '../../effective.ts';
import { resolve } from '../../resolve.ts';
import { everyPolicy, type PolicySet } from './subjects.ts';

const templatesOf = (policy: PreparedPolicy): readonly PathTemplate[] => {
  const inLimits = (limits: readonly PreparedPaths[]): readonly PathTemplate[] => limits.flatMap(({ templates }) => templates);
  const rules = [...policy.allowedPaths, ...policy.deniedPaths, ...policy.deniedWorkspaces];
  return [...rules.map(({ template }) => template), ...inLimits(policy.pathLimits), ...inLimits(policy.workspaceLimits)];
};

/**
 * Values that no absolute path of the sets lies in or around: with them, one place lies in another only where it does so whatever the variables stand for.
 * Private-use characters, and as many of them as it takes.
 */
export const unlikeAnything = (sets: readonly PolicySet[], os: OperatingSystem): PathVariables => {
  const texts = everyPolicy(sets)
    .flatMap(templatesOf)
    .flatMap((template) => (template.kind === 'variable' ? [] : [template.text]));
  let mark = '\uE000';
  while (texts.some((text) => text.includes(mark))) mark += '\uE000';
  const root = (name: string): string => `${os === 'windows' ? 'C:\\' : '/'}${mark}${name}`;
  return { home: root('home'), workspace: root('workspace'), tmp: root('tmp'), tools: [root('tools')], agent: [root('agent')] };
};

const each = ({ policies, floor }: PolicySet, edit: (policy: PreparedPolicy) => PreparedPolicy): PolicySet => ({
  policies: policies.map(edit),
  floor: floor === undefined ? undefined : edit(floor),
});

export interface Resolved {
  readonly set: PolicySet;
  readonly variables: PathVariables;
  readonly effective: EffectivePolicy;
}

/** As if every working directory were permitted as a workspace; whether it is, is a question of its own. */
export const withWorkspace = (set: PolicySet, subject: Subject, variables: PathVariables): Resolved => ({
  set,
  variables,
  effective: resolve({ ...each(set, (policy) => ({ ...policy, deniedWorkspaces: [], workspaceLimits: [] })), subject, variables }),
});

/** Whether any policy keeps a working directory from being a workspace. */
export const mentionsWorkspaces = (set: PolicySet): boolean =>
  everyPolicy([set]).some((policy) => policy.deniedWorkspaces.length > 0 || policy.workspaceLimits.length > 0);

/** Whether workspaces are spoken of as policies may: by absolute paths, home and tools. */
export const speaksOfWorkspaces = (set: PolicySet): boolean =>
  everyPolicy([set])
    .flatMap((policy) => policy.workspaceLimits.flatMap(({ templates }) => templates))
    .every((template) => template.kind !== 'variable' || template.variable === 'home' || template.variable === 'tools');

/** What policies say of workspaces, in the place of what they say of paths. */
export const aboutWorkspaces = (set: PolicySet, subject: Subject, variables: PathVariables): EffectivePolicy =>
  resolve({
    ...each(set, (policy) => ({
      ...policy,
      allowedPaths: [],
      deniedPaths: policy.deniedWorkspaces,
      pathLimits: policy.workspaceLimits,
      deniedWorkspaces: [],
      workspaceLimits: [],
    })),
    subject,
    variables,
  });
