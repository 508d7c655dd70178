/** `cordon leave FILE`: obeys a retirement that came by other means than the channel, on a device that does not reach its control plane or has no session there any more. */
import { MAX_ORDER } from '@cordon/policy/protocol/orders.ts';
import { readConfig } from '../config.ts';
import { leave } from '../orders/leave.ts';
import { readDocumentFile } from './documents.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

/** @throws CordonError `retirement.*`: then everything stays as it is */
export const leaveCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('leave', args);
  const [file, ...more] = given.words;
  if (file === undefined || more.length > 0) throw misused(commandNamed('leave'), 'Name the retirement that cordonctl retire --out wrote');
  const text = readDocumentFile(file, MAX_ORDER, 'followed');
  const word = await leave(readConfig().stateDir, text);
  printResult(given, word, () => [
    `${word.device} has left ${word.org}: nothing is enforced here any more. Its last word, for the administrator:`,
    word.proof,
  ]);
  return 0;
};
