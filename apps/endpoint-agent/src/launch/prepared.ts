/** One launch before anything of it is started: refused for what can be seen now, and its mounts as they will be. */
import fs from 'node:fs';
import { CordonError } from '@cordon/policy/errors.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { isWithin } from '@cordon/policy/match/path.ts';
import type { Planned } from './mounts.ts';
import { preflight, requireOneName, type Identity } from './preflight.ts';
import { socketsWithin } from './sockets.ts';
import { survey, type Survey } from './survey.ts';

export interface Prepared {
  readonly identities: ReadonlyMap<string, Identity>;
  readonly filesystem: LaunchPlan['request']['filesystem'];
  /** Folders that it may write to, none in another, and what lay in them. */
  readonly writable: readonly string[];
  readonly before: Survey;
}

const isInAny = (place: string, others: readonly string[]): boolean =>
  others.some((other) => other !== place && isWithin(place, other, 'linux'));

/** @throws CordonError `launch.root`, `launch.required-unmet`, `launch.path-*` */
export const prepareLaunch = (plan: LaunchPlan, uid: number): Prepared => {
  if (uid === 0)
    throw new CordonError(
      'launch.root',
      'a workload never runs as root: root inside a sandbox undoes its rules. Run as an ordinary account',
    );
  if (plan.unmet.length > 0)
    throw new CordonError(
      'launch.required-unmet',
      `the policy requires what this device cannot enforce: ${plan.unmet.map((c) => `${c.control} (${c.why})`).join('; ')}`,
    );
  const { readonlyPaths, readwritePaths, deniedPaths } = plan.request.filesystem;
  const grants = [...readonlyPaths, ...readwritePaths];
  const identities = preflight(grants);
  requireOneName(deniedPaths);
  const writable = readwritePaths.filter((place) => !isInAny(place, readwritePaths) && fs.statSync(place).isDirectory());
  const before = survey(writable);
  // A socket acts for whoever reaches it, whatever the mount around it allows.
  const walked = [...before.sockets].filter((place) => !deniedPaths.includes(place) && !isInAny(place, deniedPaths));
  const sockets = new Set([...socketsWithin(grants, deniedPaths), ...walked]);
  return { identities, filesystem: { readonlyPaths, readwritePaths, deniedPaths: [...deniedPaths, ...sockets] }, writable, before };
};

/** Every place at which something must be mounted for as long as the run lives. */
export const targetsOf = ({ readonly, readwrite, denied }: Planned): string[] => [...readonly, ...readwrite, ...denied];
