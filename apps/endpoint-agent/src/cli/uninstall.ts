/** `cordon uninstall`. */
import { MAX_ORDER } from '@cordon/policy/protocol/orders.ts';
import { uninstall } from '../install/uninstall.ts';
import { leave } from '../orders/leave.ts';
import { readDocumentFile } from './documents.ts';
import { targetOf } from './installation.ts';
import { printResult } from './output.ts';
import { argumentsOf } from './table.ts';

export const uninstallCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('uninstall', args);
  const target = targetOf(given);
  const file = given.options.get('retirement');
  const text = file === undefined ? undefined : readDocumentFile(file, MAX_ORDER, 'followed');
  const words: string[] = [];
  await uninstall(
    { ...target, log: (message) => words.push(message) },
    {
      everything: given.flags.has('everything'),
      leave:
        text === undefined
          ? undefined
          : async () => {
              const { device, org, proof } = await leave(target.layout.state, text);
              words.push(`${device} has left ${org}. Its last word, for the administrator:`, proof);
            },
    },
  );
  printResult(given, { removed: true, said: words }, () => words);
  return 0;
};
