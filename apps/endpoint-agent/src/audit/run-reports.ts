/** All that runs give to tell, on its way to the spool: within quotas, repeats counted, and beside each access what policies in audit mode say of it. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Decision } from '../egress/messages.ts';
import { reportDecisions } from '../egress/report.ts';
import { topOf } from '../runs/nesting.ts';
import type { LiveRun, RunTable } from '../runs/run-table.ts';
import { createCounted, type Counted } from '../telemetry/counted.ts';
import { createQuotas } from '../telemetry/quotas.ts';
import { createAuditor, type Auditor } from './auditor.ts';

export interface RunReports extends Pick<Auditor, 'file'> {
  /** Where events go when they are remembered. */
  append(event: NewEvent): void;
  readonly counted: Pick<Counted, 'add'>;
  onDecision(decision: Decision): void;
  /** A run has begun. */
  onBegun(live: LiveRun): void;
  /** It is about to be told as ended. */
  onEnding(live: LiveRun): void;
  tend(): void;
}

export interface RunReportOptions {
  readonly runs: Pick<RunTable, 'all'>;
  /** What is in force. */
  readonly state: () => VerifiedState | undefined;
  /** Remembers an event, and gives it to `append`. */
  readonly report: (event: NewEvent) => void;
  /** To the spool. */
  readonly append: (event: NewEvent) => void;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
}

export const createRunReports = ({ runs, state, report, append, clock }: RunReportOptions): RunReports => {
  const liveOf = (run: string): LiveRun | undefined => runs.all().find((entry) => entry.run.run === run);
  const quotas = createQuotas({
    append,
    topOf: (run) => {
      const live = liveOf(run);
      return live === undefined ? run : topOf(live).run.run;
    },
    clock,
  });
  const counted = createCounted(report, clock);
  const auditor = createAuditor({ runs, state, counted });
  const decided = reportDecisions(runs, report);
  return {
    append: quotas.report,
    counted,
    file: auditor.file,
    onDecision: (decision) => {
      decided(decision);
      auditor.decided(decision);
      for (let at = liveOf(decision.run); at !== undefined; at = at.parent) at.learner?.decided(decision);
    },
    onBegun: auditor.began,
    onEnding: (live) => counted.end(live.run.run),
    tend: () => {
      counted.tend();
      quotas.tend();
    },
  };
};
