/** What one set of mounts shows against another. Pure. */
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { isWithin } from '@cordon/policy/match/path.ts';

type Mounts = LaunchPlan['request']['filesystem'];

const HIDDEN = 0;
const READ = 1;
const WRITE = 2;

/** What is seen at a path: the deepest mount decides. */
const accessAt = ({ readonlyPaths, readwritePaths, deniedPaths }: Mounts, path: string): number => {
  const mounts = [
    ...readwritePaths.map((at) => ({ at, access: WRITE })),
    ...readonlyPaths.map((at) => ({ at, access: READ })),
    ...deniedPaths.map((at) => ({ at, access: HIDDEN })),
  ].filter(({ at }) => isWithin(path, at, 'linux'));
  const [deepest] = mounts.toSorted((a, b) => b.at.length - a.at.length || a.access - b.access);
  return deepest?.access ?? HIDDEN;
};

/**
 * Mounts cannot be taken away from a run that lives. Access changes only at mount points, so it is enough to look at those.
 * @returns a path at which the one has more than the other, if there is one
 */
export const widerAt = (has: Mounts, may: Mounts): string | undefined =>
  [has, may]
    .flatMap(({ readonlyPaths, readwritePaths, deniedPaths }) => [...readonlyPaths, ...readwritePaths, ...deniedPaths])
    .find((path) => accessAt(has, path) > accessAt(may, path));
