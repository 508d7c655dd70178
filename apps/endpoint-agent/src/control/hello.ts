/** The first message of a session: what this device enforces, whom it believes, and how its state stands. */
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { Integrity } from '@cordon/policy/protocol/orders.ts';
import { PROTOCOL } from '@cordon/policy/protocol/version.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Enrollment } from '../identity/enrollment.ts';
import { AGENT_VERSION, deviceFacts } from '../identity/facts.ts';

export interface HelloParts {
  readonly boot: string;
  readonly trusted: Pick<Enrollment, 'roots' | 'floor'>;
  readonly state: VerifiedState | undefined;
  readonly integrity: Integrity;
}

export const helloOf = ({ boot, trusted, state, integrity }: HelloParts): Extract<UpFrame, { type: 'hello' }> => ({
  type: 'hello',
  protocol: PROTOCOL,
  boot,
  agentVersion: AGENT_VERSION,
  trust: { roots: trusted.roots.length, floor: sha256Hex(trusted.floor) },
  enforcing: state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.digest, cohort: state.cohort },
  checkpoint: state === undefined ? null : { epoch: state.epoch, serial: state.serial, digest: state.checkpointDigest },
  integrity,
  facts: deviceFacts(),
});
