/** Which directory may be a workspace: never a home or what holds one, a place of the system, or one with credentials; then what policies say. */
import { NEVER_GRANT, SYSTEM_PLACES } from './builtin.ts';
import { expandPath, parsePathText } from './document/variables.ts';
import type { OperatingSystem, PathLimit, PathRule, PathVariables } from './effective.ts';
import { canonicalPath, isWithin } from './match/path.ts';

const templates = (
  lists: Readonly<Record<OperatingSystem, readonly string[]>>,
): Readonly<Record<OperatingSystem, readonly ReturnType<typeof parsePathText>[]>> => ({
  linux: lists.linux.map(parsePathText),
  macos: lists.macos.map(parsePathText),
  windows: lists.windows.map(parsePathText),
});
const CREDENTIALS = templates(NEVER_GRANT);

/** @returns why the working directory may not be one, or undefined when it may */
export const workspaceRefusal = (
  variables: PathVariables,
  os: OperatingSystem,
  denied: readonly PathRule[],
  limits: readonly PathLimit[],
): string | undefined => {
  const { workspace, home, tmp } = variables;
  if (workspace === undefined) return 'there is no working directory that could be one';
  if (isWithin(home, workspace, os)) return 'it is or contains the home directory: start in a project folder below it';
  // Protected by their place in a workspace, hooks and configuration would not be in one that is below it.
  if (/[\\/]\.git(?:[\\/]|$)/i.test(workspace))
    return 'it is or lies in a .git folder, from which git runs programs: start in the project folder above it';
  if (isWithin(tmp, workspace, os)) return 'it is or contains the temporary folder: start in a project folder';
  if (
    SYSTEM_PLACES[os]
      .map((place) => canonicalPath(place, os))
      .some((place) => isWithin(workspace, place, os) || isWithin(place, workspace, os))
  )
    return 'it is, lies in or contains a folder of the system: start in a project folder';
  const credentials = CREDENTIALS[os]
    .flatMap((template) => expandPath(template, variables, os))
    .find((place) => isWithin(place, workspace, os) || isWithin(workspace, place, os));
  if (credentials !== undefined) return `it holds or lies in ${credentials}, which no policy can grant: start in a project folder`;
  const deny = denied.find((rule) => isWithin(workspace, rule.path, os));
  if (deny !== undefined) return `rule ${deny.origin.rule} of ${deny.origin.policy} forbids workspaces in ${deny.path}`;
  const limit = limits.find(({ paths }) => !paths.some((path) => isWithin(workspace, path, os)));
  if (limit !== undefined)
    return `rule ${limit.origin.rule} of ${limit.origin.policy} permits workspaces only in ${limit.paths.join(', ') || 'no place'}`;
  return undefined;
};
