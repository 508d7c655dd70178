/** The way into a state folder: enrolled, its own, held by nobody else, and not retired. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { loadDeviceKey } from './identity/device-key.ts';
import { requireEnrollment, type Enrollment } from './identity/enrollment.ts';
import { lockState } from './lock.ts';
import { finishRetirement, lastWordIn, retiredError } from './orders/retire.ts';
import { contextOf } from './orders/standing.ts';
import { checkStateFolder } from './state-folder.ts';

export interface Entered {
  readonly enrollment: Enrollment;
  readonly key: KeyPair;
  readonly lock: { release(): void };
}

/** A device that was retired says so, rather than that it was never enrolled. */
const enrollmentOf = (stateDir: string): Enrollment => {
  try {
    return requireEnrollment(stateDir);
  } catch (error) {
    const word = lastWordIn(stateDir).read();
    throw error instanceof CordonError && error.code === 'enroll.missing' && word !== undefined && word !== 'damaged'
      ? retiredError(word)
      : error;
  }
};

/** @throws CordonError `enroll.missing`, `device.retired`, `state.unsafe`, `daemon.already-running`, `state.unusable`, `identity.key` */
export const enterState = async (stateDir: string): Promise<Entered> => {
  const enrollment = enrollmentOf(stateDir);
  checkStateFolder(stateDir);
  const lock = lockState(stateDir);
  try {
    const word = await finishRetirement(stateDir, (at) => contextOf(enrollment, at));
    if (word !== undefined) throw retiredError(word);
    return { enrollment, key: loadDeviceKey(stateDir), lock };
  } catch (error) {
    lock.release();
    throw error;
  }
};
