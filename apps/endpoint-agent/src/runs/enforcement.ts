/**
 * What is in force, on the runs that live. Network rules and limits change at once. A run that holds more than it may now, or that could not start any more, is told,
 * and stopped at the end of the policy's grace. A run whose rules did not change is left alone.
 */
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Egress } from '../egress/egress.ts';
import { createDeadline, type Deadline } from '../launch/deadline.ts';
import type { RunNotice } from '../local-api/protocol.ts';
import { ageOf } from './age.ts';
import { consequenceOf } from './consequence.ts';
import type { HostFacts } from './decide.ts';
import { noticeLine, writeNotice } from './notice.ts';
import type { LiveRun, RunTable } from './run-table.ts';

export interface Enforcement {
  /** Something else is in force. */
  apply(state: VerifiedState): void;
  /** One run, which began while something else came into force. */
  judge(state: VerifiedState, live: LiveRun): void;
  /** The same state may mean something else by now: exceptions end, and policies expire. */
  tend(state: VerifiedState | undefined): void;
  /** What the run was told and what still stands. */
  noticeOf(live: LiveRun): RunNotice | undefined;
}

export interface EnforcementOptions {
  readonly runs: Pick<RunTable, 'all'>;
  readonly egress: Pick<Egress, 'update'>;
  readonly host: HostFacts;
  readonly report: (event: NewEvent) => void;
  readonly now: () => Date;
  readonly log: (message: string) => void;
}

interface Warning {
  readonly notice: RunNotice;
  readonly endsAt: number;
  readonly deadline: Deadline;
}

export const createEnforcement = ({ runs, egress, host, report, now, log }: EnforcementOptions): Enforcement => {
  const warnings = new Map<LiveRun, Warning>();
  /** The network rules that a run has, where they are no longer those of its start. */
  const rules = new WeakMap<LiveRun, string>();
  let age: string | undefined;

  const tell = (live: LiveRun, notice: RunNotice): void => {
    const { run, subject, account } = live;
    log(`run ${run.run}: ${noticeLine(notice)}`);
    const who = { run: run.run, agent: subject.agent.id, osUser: account.name };
    report({ kind: 'run.notice', ...who, code: notice.code.slice(0, 64), endsAt: notice.endsAt });
    live.tell?.(notice);
    try {
      writeNotice(run.door, notice);
    } catch (error) {
      log(`run ${run.run} could not be told by a file: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const withdraw = (live: LiveRun): void => {
    const warning = warnings.get(live);
    if (warning === undefined) return;
    warning.deadline.cancel();
    warnings.delete(live);
    tell(live, { ...warning.notice, message: 'what is in force now allows what it was given', endsAt: null });
  };
  const warn = (live: LiveRun, code: string, message: string, graceMs: number): void => {
    const at = now().getTime();
    const before = warnings.get(live);
    // Another change never gives more time than was left.
    const endsAt = Math.min(at + graceMs, before?.endsAt ?? Number.MAX_SAFE_INTEGER, 8.64e15);
    if (before?.endsAt === endsAt && before.notice.code === code) return;
    before?.deadline.cancel();
    const notice = { code, message, endsAt: new Date(endsAt).toISOString() };
    const deadline = createDeadline(() => {
      warnings.delete(live);
      log(`run ${live.run.run} is ended: ${message}`);
      live.run.kill('killed');
    });
    warnings.set(live, { notice, endsAt, deadline });
    tell(live, notice);
    deadline.set(endsAt - at);
  };
  const weigh = (state: VerifiedState, live: LiveRun): void => {
    const { egress: network, limits, graceMs, end } = consequenceOf(state, live, host);
    const [before, after] = [rules.get(live) ?? JSON.stringify(live.network), JSON.stringify(network)];
    if (before !== after) {
      rules.set(live, after);
      egress.update(live.run.run, network);
    }
    const fits = live.run.relimit(limits);
    if (end !== undefined) warn(live, end.code, end.message, graceMs);
    else if (fits) withdraw(live);
    else warn(live, 'policy.limits', 'what is in force now limits it more than a run that lives can be limited', graceMs);
  };
  const judge = (state: VerifiedState, live: LiveRun): void => {
    try {
      weigh(state, live);
    } catch (error) {
      log(`run ${live.run.run} is ended, since it could not be judged: ${error instanceof Error ? error.message : String(error)}`);
      live.run.kill('killed');
    }
  };
  const apply = (state: VerifiedState): void => {
    age = ageOf(state);
    for (const live of runs.all()) judge(state, live);
  };
  return {
    apply,
    judge,
    tend: (state) => {
      const all = new Set(runs.all());
      for (const [live, { deadline }] of warnings) {
        if (all.has(live)) continue;
        deadline.cancel();
        warnings.delete(live);
      }
      if (state !== undefined && age !== ageOf(state)) apply(state);
    },
    noticeOf: (live) => warnings.get(live)?.notice,
  };
};
