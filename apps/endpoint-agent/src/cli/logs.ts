/** `cordon logs [RUN]`: what the daemon said, or what happened to a run; --follow goes on with what comes. */
import type { RunEntry } from '../run-log/entry.ts';
import { printResult } from './output.ts';
import { askAbout, requireRunName } from './remembered.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const counted = (count: number | undefined): string => (count === undefined || count === 1 ? '' : `, ${count} times so far`);

/** One event of a run in a line. */
export const entryLine = (entry: RunEntry): string => {
  switch (entry.kind) {
    case 'given':
      return `${entry.at} given: ${entry.agent} of ${entry.user} in ${entry.cwd}, under ${entry.policies.map(({ name }) => name).join(', ') || 'no policy'}`;
    case 'refused':
      return `${entry.at} refused: ${entry.message} [${entry.code}]`;
    case 'launch.refused':
      return `${entry.at} not started: ${entry.program} [${entry.code}]`;
    case 'run.started':
      return `${entry.at} started: ${entry.program}, ${entry.attested ? 'checked before it began' : 'not checked'}`;
    case 'run.ended':
      return `${entry.at} ended: ${entry.reason === 'exited' ? `status ${entry.exitCode}` : entry.reason}, after ${(entry.durationMs / 1000).toFixed(1)} s`;
    case 'egress':
      return `${entry.at} ${entry.verdict}: ${entry.host}:${entry.port}, rule ${entry.rule}${entry.policy === '' ? '' : ` of ${entry.policy}`}${counted(entry.count)}`;
    case 'file':
      return `${entry.at} ${entry.verdict}: ${entry.access} ${entry.path}, rule ${entry.rule}${entry.policy === '' ? '' : ` of ${entry.policy}`}${counted(entry.count)}`;
    case 'run.token':
      return `${entry.at} identity for ${entry.audience} ${entry.verdict === 'allowed' ? `given (${entry.delivery})` : `not given [${entry.code ?? ''}]`}`;
    case 'run.notice':
      return `${entry.at} told: ${entry.endsAt === null ? 'it may go on' : `it ends at ${entry.endsAt}`} [${entry.code}]`;
    case 'more':
      return `${entry.at} ${entry.count} more events were not kept here`;
    case 'audit':
      return `${entry.at} ${entry.enforced}, but ${entry.verdict} by a policy that only watches: ${entry.access} ${entry.target}, rule ${entry.rule} of ${entry.policy}${counted(entry.count)}`;
    case 'flood':
      return `${entry.at} ${entry.count} more events of class ${entry.class} were not sent`;
    case 'run.finding':
      return `${entry.at} found: ${entry.place} [${entry.code}]`;
  }
};

export const logsCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('logs', args);
  const [run, ...more] = given.words;
  if (more.length > 0) throw misused(commandNamed('logs'), 'One run at a time');
  requireRunName(run);
  const follow = given.flags.has('follow');
  await askAbout(run === undefined ? { op: 'daemon-log', follow } : { op: 'run-log', run, follow }, (reply) => {
    if (reply.type === 'line') printResult(given, reply.line, () => [`${reply.line.at} ${reply.line.message}`]);
    if (reply.type === 'entry') printResult(given, reply.entry, () => [entryLine(reply.entry)]);
  });
  return 0;
};
