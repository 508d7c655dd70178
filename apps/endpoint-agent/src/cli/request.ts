/** `cordon request TARGET [--write] [--reason TEXT]`: asks for what was denied. Inside a run it is a draft, which its person confirms outside. */
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import type { Asked } from '../asking/words.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const NEXT: Readonly<Record<Asked['state'], string>> = {
  draft: 'a draft: it goes nowhere until its person confirms it outside, with cordon requests confirm',
  open: "sent to the organisation's administrators; nothing is allowed by it until they decide",
  withdrawn: 'withdrawn',
};

/** What a person reads of one. The reason may be a program's own words, and says so. */
export const requestLines = ({ id, state, access, target, agent, reason, drafted, run, rule, policy, stored }: Asked): string[] => [
  `${id}  ${state}${state === 'open' ? (stored === true ? ', received' : stored === false ? ', NOT TAKEN: too many are open' : ', not received yet') : ''}`,
  `  ${access === 'network' ? 'reach' : access} ${target}, for ${agent}; denied by ${rule === '' ? 'default' : `${rule} of ${policy}`}`,
  ...(drafted ? [`  written by a program inside ${run ?? 'a run'}, not by a person: judge the target, do not trust the words`] : []),
  ...(reason === '' ? [] : [`  ${drafted ? 'its words' : 'reason'}: ${reason}`]),
];

export const requestCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('request', args);
  const [target] = given.words;
  if (target === undefined || given.words.length > 1) throw misused(commandNamed('request'), 'One target is asked for at a time');
  const [agent, user] = [given.options.get('agent'), given.options.get('user')];
  const reply = await ask(ownSocket(readConfig()), {
    op: 'request',
    target,
    access: given.flags.has('write') ? 'write' : 'read',
    reason: (given.options.get('reason') ?? '').slice(0, 500),
    cwd: process.cwd(),
    ...(agent !== undefined && { agent }),
    ...(user !== undefined && { user }),
  });
  if (reply.type === 'asked') printResult(given, reply.asked, () => [...requestLines(reply.asked), NEXT[reply.asked.state]]);
  return 0;
};

export const requestsCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('requests', args);
  const reply = await ask(ownSocket(readConfig()), { op: 'requests' });
  if (reply.type === 'requests')
    printResult(given, reply.requests, () => (reply.requests.length === 0 ? ['no requests'] : reply.requests.flatMap(requestLines)));
  return 0;
};

const decide =
  (word: 'confirm' | 'withdraw') =>
  async (args: readonly string[]): Promise<number> => {
    const given = argumentsOf(`requests ${word}`, args);
    const [id] = given.words;
    if (id === undefined || given.words.length > 1) throw misused(commandNamed(`requests ${word}`), 'It takes the id of one request');
    const reply = await ask(ownSocket(readConfig()), { op: `request.${word}`, id });
    if (reply.type === 'asked') printResult(given, reply.asked, () => [...requestLines(reply.asked), NEXT[reply.asked.state]]);
    return 0;
  };
export const confirmCommand = decide('confirm');
export const withdrawCommand = decide('withdraw');
