/** `cordon runs`: the runs of this account, newest first; root sees everybody's. */
import { CordonError } from '@cordon/policy/errors.ts';
import { MOST_LISTED } from '../run-log/limits.ts';
import type { RunSummary } from '../run-log/requests.ts';
import { printResult } from './output.ts';
import { askAbout } from './remembered.ts';
import { argumentsOf } from './table.ts';

const USUAL = 20;

const stateOf = ({ state, reason, exitCode }: RunSummary): string => {
  if (state !== 'ended') return state;
  return reason === 'exited' ? `status ${exitCode}` : (reason ?? '');
};

export const runsLines = (runs: readonly RunSummary[]): string[] =>
  runs.length === 0
    ? ['no run of yours is remembered here']
    : runs.map((run) =>
        [
          run.startedAt,
          run.run,
          stateOf(run).padEnd(10),
          run.denials === 0 ? 'nothing denied' : `${run.denials} denied`,
          run.program === '' ? '' : `${run.program} (${run.agent})`,
          `of ${run.user}`,
        ]
          .filter((text) => text !== '')
          .join('  '),
      );

export const runsCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('runs', args);
  const most = given.options.get('most') ?? `${USUAL}`;
  if (!/^[1-9]\d{0,2}$/.test(most) || Number(most) > MOST_LISTED)
    throw new CordonError('cli.usage', `--most is ${JSON.stringify(most)}, not a number from 1 to ${MOST_LISTED}`);
  await askAbout({ op: 'runs', most: Number(most) }, (reply) => {
    if (reply.type === 'runs') printResult(given, reply.runs, () => runsLines(reply.runs));
  });
  return 0;
};
