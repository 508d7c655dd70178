/** A new state and the runs that live: their network rules and limits change at once; a run that could not start any more, or that holds more than it may, is ended. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Egress } from '../egress/egress.ts';
import { planFor, type HostFacts } from './decide.ts';
import { effectiveOf } from './nesting.ts';
import type { RunTable } from './run-table.ts';
import { widerAt } from './wider.ts';

export const applyToRuns = (
  state: VerifiedState,
  runs: Pick<RunTable, 'all'>,
  egress: Pick<Egress, 'update'>,
  host: HostFacts,
  log: (message: string) => void,
): void => {
  for (const live of runs.all()) {
    const { run, cwd, filesystem } = live;
    try {
      const plan = planFor(state, effectiveOf(state, live), cwd, host);
      const wider = widerAt(filesystem, plan.request.filesystem);
      if (wider !== undefined) throw new CordonError('launch.narrowed', `what is in force now gives it less of ${wider}`, { place: wider });
      if (!run.relimit(plan.limits))
        throw new CordonError('launch.narrowed', 'what is in force now limits it more than a run that lives can be limited');
      egress.update(run.run, plan.egress);
    } catch (error) {
      log(`run ${run.run} is ended: ${error instanceof Error ? error.message : String(error)}`);
      run.kill('killed');
    }
  }
};
