/** `cordonctl backup` and `cordonctl restore`: done by the control plane's own command, on the machine of the service and as its account. */
import { drive } from './control-plane.ts';

export const backupCommand = (args: readonly string[]): Promise<number> => drive(['backup', ...args]);

export const restoreCommand = (args: readonly string[]): Promise<number> => drive(['restore', ...args]);
