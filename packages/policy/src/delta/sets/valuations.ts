/** Launches to try: usual ones, and ones in which a home, workspace or other variable lies where a rule that differs points. */
import type { PreparedPolicy } from '../../document/prepared.ts';
import { expandPath, type PathTemplate } from '../../document/variables.ts';
import type { OperatingSystem, PathVariables } from '../../effective.ts';
import { everyPolicy, type PolicySet } from './subjects.ts';

/** Places of differing rules that launches are made of. */
const MAX_PLACES = 12;

const USUAL: Readonly<Record<OperatingSystem, PathVariables>> = {
  linux: {
    home: '/home/someone',
    workspace: '/home/someone/project',
    tmp: '/tmp',
    tools: ['/opt/tools'],
    agent: ['/home/someone/.some-agent'],
  },
  macos: {
    home: '/Users/someone',
    workspace: '/Users/someone/project',
    tmp: '/private/var/cordon/run',
    tools: ['/opt/homebrew'],
    agent: ['/Users/someone/.some-agent'],
  },
  windows: {
    home: 'C:\\Users\\someone',
    workspace: 'C:\\Users\\someone\\project',
    tmp: 'C:\\ProgramData\\CordonRuns\\run',
    tools: ['C:\\tools'],
    agent: ['C:\\Users\\someone\\.some-agent'],
  },
};
const OUTSIDE: Readonly<Record<OperatingSystem, string>> = { linux: '/srv/project', macos: '/srv/project', windows: 'D:\\work\\project' };

const templatesOf = (policy: PreparedPolicy): ReadonlyMap<string, PathTemplate> => {
  const rules = [...policy.allowedPaths, ...policy.deniedPaths, ...policy.deniedWorkspaces];
  const limits = [...policy.pathLimits, ...policy.workspaceLimits];
  const entries = [
    ...rules.map(({ template, access, effect }) => ({ template, as: `${effect} ${access}` })),
    ...limits.flatMap(({ access, templates }) => templates.map((template) => ({ template, as: `limit ${access}` }))),
  ];
  return new Map(entries.map(({ template, as }) => [`${policy.mode} ${as} ${JSON.stringify(template)}`, template]));
};

/** Templates of rules of the one set and not of the other; when there are none, it is a match that differs: all. */
const differing = (a: PolicySet, b: PolicySet): readonly PathTemplate[] => {
  const of = (set: PolicySet): ReadonlyMap<string, PathTemplate> =>
    new Map(everyPolicy([set]).flatMap((policy) => [...templatesOf(policy)]));
  const [before, after] = [of(a), of(b)];
  const all = [...before, ...after];
  const different = all.filter(([key]) => !before.has(key) || !after.has(key));
  return [...new Map(different.length > 0 ? different : all).entries()]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([, template]) => template);
};

/** The usual launch: nothing without a place depends on it. */
export const usualLaunch = (os: OperatingSystem): PathVariables => USUAL[os];

/** Usual launches first. */
export const valuations = (a: PolicySet, b: PolicySet, os: OperatingSystem): readonly PathVariables[] => {
  const usual = USUAL[os];
  const below = (place: string, name: string): string => `${place}${os === 'windows' ? '\\' : '/'}${name}`;
  const places = new Set(differing(a, b).flatMap((template) => expandPath(template, usual, os)));
  return [
    usual,
    { ...usual, workspace: OUTSIDE[os] },
    { ...usual, workspace: undefined },
    ...[...places].slice(0, MAX_PLACES).flatMap((place): readonly PathVariables[] => [
      { ...usual, workspace: place },
      { ...usual, workspace: below(place, 'project') },
      { ...usual, home: below(place, 'someone'), workspace: below(below(place, 'someone'), 'project') },
      { ...usual, workspace: OUTSIDE[os], tools: [place], agent: [place] },
    ]),
  ];
};
