/** The runs that live now, on disk too: a daemon that was killed finds at its next start what it left behind, and ends it. */
import fs from 'node:fs';
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { EffectivePolicy, Subject } from '@cordon/policy/effective.ts';
import type { AgentManifest } from '@cordon/policy/manifest/schema.ts';
import type { LaunchPlan } from '@cordon/policy/launch-plan.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { readJson } from '../durable.ts';
import { endProcess } from '../launch/gate.ts';
import type { Run } from '../launch/launcher.ts';
import type { Account } from '../local-api/accounts.ts';
import type { Learner } from '../learn/learner.ts';
import type { RunNotice } from '../local-api/protocol.ts';

export interface LiveRun {
  readonly run: Run;
  readonly subject: Subject;
  readonly account: Account;
  readonly cwd: string;
  /** The run that it was started from, and within. */
  readonly parent?: LiveRun | undefined;
  readonly manifest?: AgentManifest | undefined;
  readonly effective: EffectivePolicy;
  /** What was mounted for it. */
  readonly filesystem: LaunchPlan['request']['filesystem'];
  /** The network rules that it began with. */
  readonly network: LaunchPlan['egress'];
  readonly startedAt: number;
  /** Says something to whoever started it. */
  readonly tell?: (notice: RunNotice) => void;
  /** Somebody wants to know what it needs. */
  readonly learner?: Learner | undefined;
}

export interface RunTable {
  add(live: LiveRun): void;
  remove(run: string): void;
  all(): readonly LiveRun[];
}

/** A run that an earlier daemon did not see end. */
export interface Orphan {
  readonly run: string;
  readonly agent: string;
  readonly osUser: string;
  /** Since it began. */
  readonly durationMs: number;
}

const Entry = Compile(
  Type.Object({ pid: Type.Integer(), startTime: Type.String(), agent: Type.String(), osUser: Type.String(), startedAt: Type.String() }),
);

/** Ends what a killed daemon left. @returns every run whose end nobody has told yet */
export const endOrphans = (folder: string, now: Date): Orphan[] => {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return fs.readdirSync(folder).flatMap((run) => {
    const file = path.join(folder, run);
    const entry = readJson(file);
    fs.rmSync(file);
    if (!Entry.Check(entry)) return []; // it was never whole, so its run never began
    const { pid, startTime, agent, osUser, startedAt } = entry;
    endProcess(pid, startTime);
    return [{ run, agent, osUser, durationMs: Math.max(0, now.getTime() - Date.parse(startedAt)) }];
  });
};

/** Each is told as a run that ended. */
export const tellOrphans = (orphans: readonly Orphan[], report: (event: NewEvent) => void, log: (message: string) => void): void => {
  for (const orphan of orphans) report({ kind: 'run.ended', ...orphan, reason: 'killed', exitCode: 137 });
  if (orphans.length > 0) log(`an earlier daemon left ${orphans.length} runs: they are ended`);
};

export const createRunTable = (folder: string, now: () => Date = () => new Date()): RunTable => {
  const live = new Map<string, LiveRun>();
  return {
    add: (entry) => {
      const { pid, startTime } = entry.run.attestation;
      const { subject, account } = entry;
      live.set(entry.run.run, entry);
      const left = { pid, startTime, agent: subject.agent.id, osUser: account.name, startedAt: now().toISOString() };
      fs.writeFileSync(path.join(folder, entry.run.run), JSON.stringify(left), { mode: 0o600 });
    },
    remove: (run) => {
      live.delete(run);
      fs.rmSync(path.join(folder, run), { force: true });
    },
    all: () => [...live.values()],
  };
};
