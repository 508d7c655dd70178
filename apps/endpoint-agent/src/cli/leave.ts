/** `cordon leave FILE`: obeys a retirement that came by other means than the channel, on a device that does not reach its control plane or has no session there any more. */
import { CordonError } from '@cordon/policy/errors.ts';
import { MAX_ORDER } from '@cordon/policy/protocol/orders.ts';
import { readConfig } from '../config.ts';
import { enterState } from '../enter.ts';
import { machineElapsed } from '../machine.ts';
import { obey, wipe } from '../orders/retire.ts';
import { contextOf } from '../orders/standing.ts';
import { openPolicyState } from '../policy-state/open.ts';
import { parseArguments } from './arguments.ts';
import { readDocumentFile } from './documents.ts';

/** @throws CordonError `retirement.*`: then everything stays as it is */
export const leaveCommand = async (args: readonly string[]): Promise<number> => {
  const { words } = parseArguments(args, { options: [], flags: [] });
  const [file, ...more] = words;
  if (file === undefined || more.length > 0)
    throw new CordonError('cli.usage', 'cordon leave FILE, with the retirement that cordonctl retire --out wrote');
  const text = readDocumentFile(file, MAX_ORDER, 'followed');
  const { stateDir } = readConfig();
  const { enrollment, key, lock } = await enterState(stateDir);
  try {
    // What time it is for this device, whatever its clock says.
    const state = openPolicyState(stateDir, enrollment, () => undefined, machineElapsed());
    const now = new Date();
    await state.load(now);
    state.close();
    const word = await obey(stateDir, text, await contextOf(state.trusted(), state.time(now)), key);
    wipe(stateDir);
    process.stdout.write(
      `${word.device} has left ${word.org}: nothing is enforced here any more. Its last word, for the administrator:\n${word.proof}\n`,
    );
    return 0;
  } finally {
    lock.release();
  }
};
