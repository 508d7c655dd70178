/** `cordon status`. */
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import type { Status } from '../local-api/protocol.ts';
import { printResult } from './output.ts';
import { argumentsFor } from './table/command.ts';
import { STATUS } from './table/everyday.ts';

const LIMITED_BY = { cgroup: 'control group', rlimit: 'limit of each process', none: 'nothing' } as const;

/** In a line: whether agents are contained here, and whether that was proved. */
const verdict = ({ enforcing, blocked, selfTest }: Status): string => {
  if (enforcing === null) return `nothing launches here: ${blocked ?? 'no valid policy is in force'}`;
  if (enforcing.policies.length === 0) return 'nothing launches here: no policy is assigned to this device';
  if (selfTest?.passed === false) return 'NOT ENFORCED: the self-test failed; cordon doctor says what is wrong';
  if (enforcing.freshness === 'expired') return 'nothing new launches here: the policy expired, and the control plane must be reached';
  const stale = enforcing.freshness === 'current' ? '' : '; the policy is old, and the control plane must be reached before it expires';
  return `agents are contained${selfTest === null ? ', which no test has proved yet' : ', as a test proved'}${stale}`;
};

/** What a person reads. */
export const statusLines = (status: Status): string[] => {
  const { enforcing, selfTest, spool, history, limits } = status;
  return [
    `state      ${verdict(status)}`,
    `device     ${status.device} in ${status.organisation}, key ${status.key}`,
    `server     ${status.server} (${status.connected ? 'connected' : 'not connected; the policy stays in force'})`,
    `enforcing  ${enforcing === null ? (status.blocked ?? 'nothing valid: nothing launches') : `serial ${enforcing.serial}, ${enforcing.digest.slice(0, 16)}, ${enforcing.freshness}`}`,
    ...(enforcing?.policies ?? []).map((policy) => `           ${policy}`),
    ...(status.maintenance === null
      ? []
      : [`maintenance until ${status.maintenance}: a stop of the daemon is no tampering; what is enforced stays as it is`]),
    `self-test  ${selfTest === null ? 'not run' : `${selfTest.passed ? 'passed' : 'FAILED'} at ${selfTest.at}`}`,
    ...(selfTest?.failed ?? []).map((why) => `           ${why}`),
    `history    ${history.newest === null ? 'none yet' : `audit log at ${history.newest.audit.seq}:${history.newest.audit.head}${history.walking ? ', asking for what was missed' : ''}`}`,
    ...history.findings.map(
      ({ code, at, earlier, later }) =>
        `           ${code.toUpperCase()} at ${at}: ${later.epoch}/${later.number} (serial ${later.serial}) after ${earlier.epoch}/${earlier.number} (serial ${earlier.serial}); tell your administrator`,
    ),
    `events     ${spool.waiting} waiting, ${spool.dropped} dropped`,
    `limits     memory by ${LIMITED_BY[limits.memory]}, cpu by ${LIMITED_BY[limits.cpu]}, processes by ${LIMITED_BY[limits.processes]}${limits.without === null ? '' : `; ${limits.without}`}`,
    `runs       ${status.runs}`,
  ];
};

export const statusCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsFor(STATUS, args);
  const reply = await ask(ownSocket(readConfig()), { op: 'status' });
  if (reply.type === 'inside') {
    const { insideLines } = await import('./inside.ts');
    printResult(given, reply.status, () => insideLines(reply.status));
  } else if (reply.type === 'status') printResult(given, reply.status, () => statusLines(reply.status));
  return 0;
};
