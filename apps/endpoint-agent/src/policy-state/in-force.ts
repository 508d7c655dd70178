/** What is in force, by its numbers. */
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';

export type InForce = Pick<VerifiedState, 'epoch' | 'serial' | 'digest'>;

export const inForceOf = (state: VerifiedState | undefined): InForce | null =>
  state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.digest };
