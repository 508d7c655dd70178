/** A new state and the runs that live: their network rules change at once; a run that could not start any more is ended. */
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Egress } from '../egress/egress.ts';
import { effectiveFor, planFor } from './decide.ts';
import { requireNeeds, underManifest } from './manifest.ts';
import type { RunTable } from './run-table.ts';

export const applyToRuns = (
  state: VerifiedState,
  runs: RunTable,
  egress: Pick<Egress, 'update'>,
  installation: readonly string[],
  log: (message: string) => void,
): void => {
  for (const { run, subject, account, cwd, manifest } of runs.all()) {
    try {
      const effective = underManifest(effectiveFor(state, subject, cwd, account), manifest, cwd, account);
      requireNeeds(effective, manifest, cwd, account);
      egress.update(run.run, planFor(state, effective, cwd, installation).egress);
    } catch (error) {
      log(`run ${run.run} is ended: ${error instanceof Error ? error.message : String(error)}`);
      run.kill('killed');
    }
  }
};
