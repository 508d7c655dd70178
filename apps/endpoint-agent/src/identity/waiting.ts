/** Whether this device waits for an administrator, or was quarantined: said at its enrollment and on the channel, unsigned, so it is never more than the reason why nothing is in force. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { DownFrame } from '@cordon/policy/protocol/channel.ts';

export interface Waiting {
  hear(frame: DownFrame): void;
  /** To be thrown where nothing is in force. */
  why(): CordonError | undefined;
  /** To be thrown where what is in force holds no policy. */
  whyEmpty(): CordonError | undefined;
}

/** @param initially enrolled so, and nothing was ever in force */
export const createWaiting = (initially: boolean): Waiting => {
  let waits = initially;
  let quarantined = false;
  return {
    hear: (frame) => {
      if (frame.type === 'problem' && frame.code === 'device.pending') waits = true;
      if (frame.type === 'problem' && frame.code === 'device.quarantined') quarantined = true;
      if (frame.type === 'state') waits = false;
    },
    why: () =>
      waits
        ? new CordonError('launch.pending', 'this device is waiting for an administrator to approve it: until then it launches nothing', {
            retryable: true,
          })
        : undefined,
    whyEmpty: () =>
      quarantined
        ? new CordonError(
            'launch.quarantined',
            'an administrator has quarantined this device: it launches nothing until it is released; ask your administrators why',
            { retryable: true },
          )
        : undefined,
  };
};
