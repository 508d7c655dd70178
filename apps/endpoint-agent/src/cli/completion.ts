/** `cordon completion SHELL`: a script that completes the words of this very version. */
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import { zshCompletion } from './completion/zsh.ts';

const SHELLS: Readonly<Record<string, () => string>> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

export const completionCommand = async (args: readonly string[]): Promise<number> => {
  const [shell = '', ...more] = argumentsOf('completion', args).words;
  const script = SHELLS[shell];
  if (script === undefined || more.length > 0) throw misused(commandNamed('completion'), `It is for ${Object.keys(SHELLS).join(', ')}`);
  process.stdout.write(script());
  return 0;
};
