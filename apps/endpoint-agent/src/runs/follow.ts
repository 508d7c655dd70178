/** What follows from a new state: live runs feel it at once, and the control plane is told, in the session and in the signed chain. */
import type { UpFrame } from '@cordon/policy/protocol/channel.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import type { VerifiedState } from '@cordon/policy/trust/verify.ts';
import type { Outcome } from '../policy-state/policy-state.ts';

export interface FollowOptions {
  /** Of what is in force. */
  readonly epoch: () => number;
  readonly applyToRuns: (state: VerifiedState) => void;
  readonly report: (event: NewEvent) => void;
  readonly send: (frame: UpFrame) => boolean;
  /** Something else is enforced than before. */
  readonly onReplaced: (state: VerifiedState) => void;
}

export const createFollower =
  ({ epoch: epochInForce, applyToRuns, report, send, onReplaced }: FollowOptions): ((outcome: Outcome) => void) =>
  (outcome) => {
    if (outcome.kind === 'refused') {
      const { digest, serial } = outcome.frame.cohort.leaf;
      const refused = { epoch: epochInForce(), serial, digest, code: outcome.code.slice(0, 64) };
      report({ kind: 'policy', state: 'rejected', ...refused });
      send({ type: 'ack', phase: 'failed', ...refused });
      return;
    }
    if (outcome.kind === 'waiting' || !outcome.changed) return;
    const { epoch, serial, digest } = outcome.state;
    // The same rules under a newer serial change nothing for the runs that live.
    if (outcome.replaced) applyToRuns(outcome.state);
    const stored = outcome.persisted ? {} : { code: 'state.not-persisted' };
    send({ type: 'ack', epoch, serial, digest, phase: 'enforced', ...stored });
    report({ kind: 'policy', state: outcome.replaced ? 'activated' : 'confirmed', digest, epoch, serial, ...stored });
    if (outcome.replaced) onReplaced(outcome.state);
  };
