/** `cordon why PATH|HOST[:PORT]|CONTROL|$NAME [--write] [--json]`: the verdict and its reason, offline too. Status 0 means allowed, 3 denied. */
import type { Explanation, RuleOrigin } from '@cordon/policy/effective.ts';
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { manifestText } from './manifest-text.ts';
import { DENIED_STATUS, printResult } from './output.ts';
import { beyondAsking, whomToAsk, type Whose } from '../runs/whose.ts';
import { shellWord } from './shell-word.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const describe = (rule: RuleOrigin): string =>
  rule.source === 'builtin'
    ? rule.rule
    : `${rule.rule} of ${rule.policy} revision ${rule.revision}${rule.because.length > 0 ? `, assigned to ${rule.because.map((b) => b.groupName).join(', ')}` : ''}`;

/** How to have it allowed, if that is possible. */
const asking = ({ verdict, rule }: Explanation, whose: Whose, target: string, write: boolean): string[] => {
  if (verdict === 'allowed') return [];
  const never = beyondAsking(rule);
  return [never ?? `to have it allowed, ask ${whomToAsk(whose)}: cordon request ${shellWord(target)}${write ? ' --write' : ''}`];
};

export const whyCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('why', args);
  const { options, flags, words } = given;
  const [target] = words;
  if (target === undefined || words.length > 1) throw misused(commandNamed('why'));
  const [agent, user] = [options.get('agent'), options.get('user')];
  const manifest = await manifestText(options.get('manifest'));
  const request = {
    op: 'why',
    target,
    access: flags.has('write') ? 'write' : 'read',
    cwd: process.cwd(),
    ...(agent !== undefined && { agent }),
    ...(user !== undefined && { user }),
    ...(manifest !== undefined && { manifest }),
  } as const;
  const reply = await ask(ownSocket(readConfig()), request);
  if (reply.type !== 'why') return 1;
  const { explanation, ask: whose } = reply;
  printResult(given, { ...explanation, ask: whose, ...(reply.audited !== undefined && { audited: reply.audited }) }, () => [
    `${explanation.verdict.toUpperCase()} ${explanation.target}`,
    explanation.reason,
    ...explanation.shadowed.map((rule) => `shadowed: ${describe(rule)}`),
    ...explanation.without
      .filter(({ verdict }) => verdict !== explanation.verdict)
      .map(({ policy, verdict }) => `without policy ${policy} it would be ${verdict}`),
    ...(reply.audited === undefined
      ? []
      : [`policies in audit mode would make it ${reply.audited.verdict.toUpperCase()}: ${reply.audited.reason}`]),
    ...asking(explanation, whose, target, flags.has('write')),
  ]);
  return explanation.verdict === 'allowed' ? 0 : DENIED_STATUS;
};
