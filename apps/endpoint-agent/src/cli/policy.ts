/** `cordon policy check FILE...`: every error and warning of policies, with its place; and `cordon policy diff`. Needs no daemon. Status 0 means valid, 2 not. */
import { advise } from '@cordon/policy/document/advice.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { pointerOf } from '@cordon/policy/document/read.ts';
import { checkFiles } from './documents.ts';
import { diffPolicies } from './policy-diff.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

const MAX_POLICY = 262_144;

export const policyCheckCommand = async (args: readonly string[]): Promise<number> => {
  const { flags, words } = argumentsOf('policy check', args);
  if (words.length === 0) throw misused(commandNamed('policy check'));
  return checkFiles(words, MAX_POLICY, flags.has('json'), (text) => {
    const { document, locate } = parsePolicy(text);
    return advise(document).map(({ code, path, message }) => ({ code, pointer: pointerOf(path), ...locate(path), message }));
  });
};

export const policyDiffCommand = async (args: readonly string[]): Promise<number> => {
  const { flags, words, options } = argumentsOf('policy diff', args);
  const [older, newer, ...more] = words;
  if (older === undefined || newer === undefined || more.length > 0) throw misused(commandNamed('policy diff'));
  return diffPolicies(older, newer, MAX_POLICY, { agent: options.get('agent'), os: options.get('os'), json: flags.has('json') });
};
