/** `cordon policy check FILE...`: every error and warning of policies, with its place; and `cordon policy diff`. Needs no daemon. Status 0 means valid, 2 not. */
import { advise } from '@cordon/policy/document/advice.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import { pointerOf } from '@cordon/policy/document/read.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { parseArguments } from './arguments.ts';
import { checkFiles } from './documents.ts';
import { diffPolicies } from './policy-diff.ts';

const MAX_POLICY = 262_144;

export const policyCommand = async (args: readonly string[]): Promise<number> => {
  const { flags, words, options } = parseArguments(args, { options: ['agent', 'os'], flags: ['json'] });
  const [verb, ...files] = words;
  const [older, newer] = files;
  if (verb === 'diff' && older !== undefined && newer !== undefined && files.length === 2)
    return diffPolicies(older, newer, MAX_POLICY, { agent: options.get('agent'), os: options.get('os'), json: flags.has('json') });
  if (verb !== 'check' || files.length === 0)
    throw new CordonError(
      'cli.usage',
      'cordon policy check FILE... [--json], or cordon policy diff OLD NEW [--agent ID] [--os linux|macos|windows] [--json]',
    );
  return checkFiles(files, MAX_POLICY, flags.has('json'), (text) => {
    const { document, locate } = parsePolicy(text);
    return advise(document).map(({ code, path, message }) => ({ code, pointer: pointerOf(path), ...locate(path), message }));
  });
};
