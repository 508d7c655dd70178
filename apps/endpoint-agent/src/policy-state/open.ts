/** The policy state of an enrolled device in its folder, as the daemon has it. */
import type { Enrollment } from '../identity/enrollment.ts';
import { saveEnrollment } from '../identity/enrollment.ts';
import { AGENT_VERSION } from '../identity/facts.ts';
import { machineBoot, machineElapsed } from '../machine.ts';
import { createPolicyState, type PolicyState } from './policy-state.ts';
import { createSlots } from './slots.ts';
import { trialBook } from './trial.ts';

export const openPolicyState = (
  stateDir: string,
  enrollment: Enrollment,
  log: (message: string) => void,
  elapsed: () => number = machineElapsed(),
): PolicyState =>
  createPolicyState({
    enrollment,
    slots: createSlots(stateDir),
    trials: trialBook(stateDir),
    version: AGENT_VERSION,
    log,
    elapsed,
    boot: machineBoot(),
    keep: (newer) => saveEnrollment(stateDir, newer),
  });
