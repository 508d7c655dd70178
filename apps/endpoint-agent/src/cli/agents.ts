/** `cordon agents`. */
import { readConfig } from '../config.ts';
import type { AgentsReport } from '../discovery/requests.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { printResult } from './output.ts';
import { argumentsOf } from './table.ts';

const RUNS = { no: '', contained: ', runs contained', uncontained: ', RUNS OUTSIDE CONTAINMENT' } as const;
const DONE = { reported: 'reported', stopped: 'stopped', failed: 'COULD NOT BE STOPPED' } as const;

const whose = (user: string): string => (user === '' ? 'this machine' : user);

/** What a person reads. */
export const agentsLines = ({ agents, servers, uncontained, leftOut, listedAt, policy }: AgentsReport): string[] => [
  ...(agents.length === 0 ? ['no AI agent was found here'] : []),
  ...agents.map(
    ({ agent, version, osUser, place, source, running }) =>
      `${agent}${version === '' ? '' : ` ${version}`} of ${whose(osUser)}: ${place} (${source})${RUNS[running]}`,
  ),
  ...(servers.length === 0 ? [] : ['', 'MCP servers']),
  ...servers.map(
    ({ agent, osUser, name, scope, transport, program, file }) =>
      `  ${name}: ${transport === 'program' ? `starts ${program === '' ? 'a program that cannot be told from its arguments' : program}` : transport === 'remote' ? 'elsewhere, over the network' : 'unknown'}; ${agent} of ${whose(osUser)}, ${scope}, ${file}`,
  ),
  ...(uncontained.length === 0 ? [] : ['', 'Outside containment']),
  ...uncontained.map(
    ({ agent, osUser, program, evidence, action, times, lastAt, running }) =>
      `  ${agent} of ${whose(osUser)}: ${program === '' ? 'many places' : program} (by ${evidence}), ${times === 1 ? 'once' : `${times} times`}, ${running ? 'still runs' : `last at ${lastAt}`}; ${DONE[action]}${policy[agent] === 'stop' ? ', the policy says stop' : ''}`,
  ),
  ...(leftOut === 0 ? [] : ['', `${leftOut} more had no room here`]),
  '',
  `listed at ${listedAt}; what runs is of this moment`,
];

/** Status 4 when something runs outside containment. */
export const OUTSIDE_STATUS = 4;

export const agentsCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('agents', args);
  const reply = await ask(ownSocket(readConfig()), { op: 'agents' });
  if (reply.type !== 'agents') return 1;
  printResult(given, reply.report, () => agentsLines(reply.report));
  return reply.report.agents.some(({ running }) => running === 'uncontained') ? OUTSIDE_STATUS : 0;
};
