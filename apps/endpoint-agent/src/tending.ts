/** What a daemon looks after every few seconds: what could not be stored is tried again, ends of trials, graces and grants are seen, and that its folder is still its own. */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { Standing } from './orders/standing.ts';
import type { Outcome, PolicyState } from './policy-state/policy-state.ts';
import type { RunReports } from './audit/run-reports.ts';
import type { Enforcement } from './runs/enforcement.ts';
import type { Tester } from './self-test/tester.ts';
import { watchStateFolder } from './state-folder.ts';

const TEND_MS = 5000;

export interface Tended {
  readonly stateDir: string;
  readonly assurance: 'system' | 'user';
  readonly standing: Pick<Standing, 'tend'>;
  readonly policyState: Pick<PolicyState, 'tend' | 'current'>;
  readonly enforcement: Pick<Enforcement, 'tend'>;
  readonly reports: Pick<RunReports, 'tend'>;
  readonly selfTest: Pick<Tester, 'look'>;
  /** What follows from a new state. */
  readonly take: (outcome: Outcome) => void;
  readonly report: (event: NewEvent) => void;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

/** @returns what ends it */
export const startTending = ({
  stateDir,
  assurance,
  standing,
  policyState,
  enforcement,
  reports,
  selfTest,
  take,
  report,
  now,
  log,
}: Tended): (() => void) => {
  const watchFolder = watchStateFolder(stateDir, (code, message) => {
    log(`${code}: ${message}`);
    report({ kind: 'daemon', state: 'problem', assurance, code });
  });
  const tend = async (): Promise<void> => {
    standing.tend(now());
    watchFolder();
    const outcome = await policyState.tend(now());
    if (outcome !== undefined) take(outcome);
    enforcement.tend(policyState.current(now()));
    reports.tend();
    selfTest.look();
  };
  const timer = setInterval(() => void tend().catch((error: unknown) => log(`the state could not be tended: ${String(error)}`)), TEND_MS);
  return () => clearInterval(timer);
};
