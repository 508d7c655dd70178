/** The run after its gate opened: streams, time limit, what is looked at meanwhile, and an end that is the end of its init. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Limits } from '@cordon/policy/launch-plan.ts';
import type { Group } from './cgroup.ts';
import { createDeadline } from './deadline.ts';
import { endProcess, isAlive, type Attestation } from './gate.ts';
import { startGuard, type Finding } from './guard.ts';
import type { LaunchRequest, Run, RunEnd } from './launcher.ts';
import type { Planned } from './mounts.ts';
import { drained } from './pipes.ts';
import { targetsOf, type Prepared } from './prepared.ts';
import type { Seat } from './seat.ts';
import type { Streams } from './streams.ts';
import { changesSince, survey } from './survey.ts';
import type { Told } from './told.ts';

export interface Followed {
  readonly seat: Seat;
  readonly told: Told;
  readonly streams: Streams;
  readonly request: LaunchRequest;
  readonly attestation: Attestation;
  readonly group: Group | undefined;
  readonly prepared: Prepared;
  readonly planned: Planned;
  readonly renew: Run['relimit'];
  readonly release: () => Promise<void>;
  readonly onFinding: (finding: Finding) => void;
}

/** A process that was killed goes as soon as the kernel has taken down what it holds. */
const GONE_TRIES = 2000;
const gone = async ({ pid, startTime }: Attestation): Promise<void> => {
  for (let i = 0; i < GONE_TRIES && isAlive(pid, startTime); i += 1) await wait(1);
};

/** A run that leaves more is found out by these. */
const MOST_FINDINGS = 16;

/** What lies in its folders now and did not before, whoever made it. */
const findingsOf = ({ writable, before, filesystem }: Prepared): Finding[] => {
  const { sockets, executed } = changesSince(before, survey(writable));
  // What it saw read-only somebody else has changed.
  const planted = executed.filter((place) => !filesystem.readonlyPaths.includes(place));
  return [
    ...sockets.map((place) => ({ code: 'run.socket', place }) as const),
    ...planted.map((place) => ({ code: 'run.planted', place }) as const),
  ];
};

export const follow = (followed: Followed): Run => {
  const { seat, told, streams, request, attestation, group, prepared, planned, renew, release, onFinding } = followed;
  const { child, door } = seat;
  const { stdin, stdout, stderr, outputs, resize, finish } = streams;
  let reason: RunEnd['reason'] = 'exited';
  let over = false;
  const end = (why: 'killed' | 'timeout'): void => {
    // Killed after its end: nobody wants what it has left to say.
    if (over) return outputs.forEach((stream) => void stream.destroy());
    if (reason === 'exited') reason = why;
    endProcess(attestation.pid, attestation.startTime);
  };
  const deadline = createDeadline(() => end('timeout'));
  deadline.set(request.plan.limits.timeoutMs);
  const { readonlyPaths, readwritePaths, deniedPaths: hidden } = prepared.filesystem;
  const leaveUnguarded = startGuard(
    { pid: attestation.pid, targets: targetsOf(planned), grants: [...readonlyPaths, ...readwritePaths], hidden },
    (place) => {
      end('killed');
      onFinding({ code: 'run.uncovered', place });
    },
    (place) => onFinding({ code: 'run.socket', place }),
  );
  seat.onLost(() => end('killed'));
  const exited = new Promise<number>((resolve) => {
    const code = (exitCode: number | null): void => resolve(exitCode ?? 137);
    if (child.exitCode !== null || child.signalCode !== null) code(child.exitCode);
    else child.once('exit', code);
    void told.exitCode.then(resolve);
  });
  const ended = exited.then(async (exitCode): Promise<RunEnd> => {
    deadline.cancel();
    leaveUnguarded();
    // The executor's word is not the end: whatever is left of the sandbox goes with its init.
    endProcess(attestation.pid, attestation.startTime);
    over = true;
    seat.end();
    finish();
    await Promise.all([release(), gone(attestation), ...outputs.map(drained)]);
    for (const finding of findingsOf(prepared).slice(0, MOST_FINDINGS)) onFinding(finding);
    return { reason, exitCode: reason === 'exited' ? exitCode : reason === 'timeout' ? 124 : 137 };
  });
  const relimit = (limits: Limits): boolean => {
    deadline.set(limits.timeoutMs);
    return renew(limits);
  };
  return { run: request.run, attestation, group, door: door?.socket, stdin, stdout, stderr, ended, resize, relimit, kill: end };
};
