/** What the proxy decided, as an event of the run that it decided it for. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { RunTable } from '../runs/run-table.ts';
import type { EgressOptions } from './egress.ts';

type Decision = Parameters<EgressOptions['onDecision']>[0];

/** @returns a listener; decisions for runs that are gone by now are nobody's */
export const reportDecisions =
  (runs: Pick<RunTable, 'all'>, report: (event: NewEvent) => void) =>
  ({ run, verdict, host, port, rule, policy, code }: Decision): void => {
    const live = runs.all().find((entry) => entry.run.run === run);
    if (live === undefined) return;
    const who = { run, agent: live.subject.agent.id, osUser: live.account.name };
    report({ kind: 'egress', ...who, verdict, host, port, rule, policy, ...(code !== undefined && { code }) });
  };
