/** `cordon why PATH|HOST[:PORT]|CONTROL|$NAME [--write] [--json]`: the verdict and its reason, offline too. Status 0 means allowed, 3 denied. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { RuleOrigin } from '@cordon/policy/effective.ts';
import { visible } from '@cordon/policy/visible.ts';
import { readConfig } from '../config.ts';
import { ask, ownSocket } from '../local-api/client.ts';
import { parseArguments } from './arguments.ts';
import { manifestText } from './manifest-text.ts';
import { DENIED_STATUS } from './output.ts';

const describe = (rule: RuleOrigin): string =>
  rule.source === 'builtin'
    ? rule.rule
    : `${rule.rule} of ${rule.policy} revision ${rule.revision}${rule.because.length > 0 ? `, assigned to ${rule.because.map((b) => b.groupName).join(', ')}` : ''}`;

export const whyCommand = async (args: readonly string[]): Promise<number> => {
  const { options, flags, words } = parseArguments(args, { options: ['agent', 'user', 'manifest'], flags: ['write', 'json'] });
  const [target] = words;
  if (target === undefined || words.length > 1)
    throw new CordonError('cli.usage', 'cordon why PATH|HOST[:PORT]|CONTROL|$NAME [--write] [--agent ID] [--manifest FILE] [--json]');
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
  const { explanation } = reply;
  if (flags.has('json')) process.stdout.write(`${JSON.stringify(explanation)}\n`);
  else {
    const shadowed = explanation.shadowed.map((rule) => `shadowed: ${describe(rule)}`);
    const otherwise = explanation.without
      .filter(({ verdict }) => verdict !== explanation.verdict)
      .map(({ policy, verdict }) => `without policy ${policy} it would be ${verdict}`);
    const lines = [`${explanation.verdict.toUpperCase()} ${explanation.target}`, explanation.reason, ...shadowed, ...otherwise];
    process.stdout.write(`${lines.map(visible).join('\n')}\n`);
  }
  return explanation.verdict === 'allowed' ? 0 : DENIED_STATUS;
};
