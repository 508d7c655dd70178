/** `cordon status [--json]`. */
import { visible } from '@cordon/policy/visible.ts';
import { readConfig } from '../config.ts';
import { ask } from '../local-api/client.ts';
import { socketFor } from '../local-api/protocol.ts';
import { parseArguments } from './arguments.ts';

export const statusCommand = async (args: readonly string[]): Promise<number> => {
  const { flags } = parseArguments(args, { options: [], flags: ['json'] });
  const reply = await ask(socketFor(readConfig().runtimeDir, process.getuid?.() ?? 0), { op: 'status' });
  if (reply.type !== 'status') return 1;
  const { status } = reply;
  if (flags.has('json')) {
    process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
    return 0;
  }
  const { enforcing, selfTest, spool } = status;
  const lines = [
    `device     ${status.device} in ${status.organisation}`,
    `server     ${status.server} (${status.connected ? 'connected' : 'not connected; the policy stays in force'})`,
    `enforcing  ${enforcing === null ? 'nothing valid: nothing launches' : `serial ${enforcing.serial}, ${enforcing.digest.slice(0, 16)}, ${enforcing.freshness}`}`,
    ...(enforcing?.policies ?? []).map((policy) => `           ${policy}`),
    `self-test  ${selfTest === null ? 'not run' : `${selfTest.passed ? 'passed' : 'FAILED'} at ${selfTest.at}`}`,
    `events     ${spool.waiting} waiting, ${spool.dropped} dropped`,
    `runs       ${status.runs}`,
  ];
  process.stdout.write(`${lines.map(visible).join('\n')}\n`);
  return 0;
};
