/** A new state and the runs that live: their network rules change at once; a run that could not start any more, or that holds more than it may, is ended. */
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import { isWithin } from '@cordon/policy/match/path.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Egress } from '../egress/egress.ts';
import { effectiveFor, planFor, type HostFacts } from './decide.ts';
import { requireNeeds, underManifest } from './manifest.ts';
import type { RunTable } from './run-table.ts';

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

export const applyToRuns = (
  state: VerifiedState,
  runs: Pick<RunTable, 'all'>,
  egress: Pick<Egress, 'update'>,
  host: HostFacts,
  log: (message: string) => void,
): void => {
  for (const { run, subject, account, cwd, manifest, filesystem } of runs.all()) {
    try {
      const effective = underManifest(effectiveFor(state, subject, cwd, account), manifest, cwd, account);
      requireNeeds(effective, manifest, cwd, account);
      const plan = planFor(state, effective, cwd, host);
      const wider = widerAt(filesystem, plan.request.filesystem);
      if (wider !== undefined) throw new CordonError('launch.narrowed', `what is in force now gives it less of ${wider}`, { place: wider });
      egress.update(run.run, plan.egress);
    } catch (error) {
      log(`run ${run.run} is ended: ${error instanceof Error ? error.message : String(error)}`);
      run.kill('killed');
    }
  }
};
