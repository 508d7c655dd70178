/** Obeys a retirement that came by other means than the channel, while no daemon runs. */
import { enterState } from '../enter.ts';
import { machineElapsed } from '../machine.ts';
import { openPolicyState } from '../policy-state/open.ts';
import { obey, wipe, type LastWord } from './retire.ts';
import { contextOf } from './standing.ts';

/** @returns the device's last word. @throws CordonError `retirement.*`, `daemon.already-running`, `enroll.missing`: then everything stays as it is */
export const leave = async (stateDir: string, text: string): Promise<LastWord> => {
  const { enrollment, key, lock } = await enterState(stateDir);
  try {
    // What time it is for this device, whatever its clock says.
    const state = openPolicyState(stateDir, enrollment, () => undefined, machineElapsed());
    const now = new Date();
    await state.load(now);
    state.close();
    const word = await obey(stateDir, text, await contextOf(state.trusted(), state.time(now)), key);
    wipe(stateDir);
    return word;
  } finally {
    lock.release();
  }
};
