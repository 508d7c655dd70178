/** Sessions of this replica that are over because of what happened elsewhere: the device ended, or has a later session. */
import { CLOSE } from '@cordon/policy/protocol/channel.ts';
import type { SessionHub } from './hub.ts';
import type { Notice } from './notices.ts';
import type { SessionFacts } from './store.ts';

/** What a pending device is told; it says so to whoever asks it, and launches nothing meanwhile. */
const PENDING = {
  type: 'problem',
  code: 'device.pending',
  detail: 'the device waits for an administrator, who has to approve it',
} as const;

/** The same for one that is quarantined: its policy is taken away by its place; this is only the reason. */
const QUARANTINED = { type: 'problem', code: 'device.quarantined', detail: 'an administrator has quarantined the device' } as const;

const replace = (hub: SessionHub, device: string, joins: number): void => {
  const session = hub.of(device);
  if (session !== undefined && session.joins < joins) session.close(CLOSE.replaced, 'channel.replaced');
};

/** As another replica says. */
export const hearNotice = (hub: SessionHub, notice: Notice): void => {
  if (notice.kind === 'join') for (const [device, joins] of notice.joins) replace(hub, device, joins);
  else {
    const code = notice.reason === 'device.rekeyed' ? CLOSE.replaced : CLOSE.revoked;
    for (const device of notice.devices) hub.disconnect(device, code, notice.reason);
  }
};

/** As the database says: for notices that were missed, and for devices that get nothing. */
export const applyFacts = (hub: SessionHub, facts: readonly SessionFacts[]): void => {
  for (const { device, ended, pending, quarantined, joins } of facts) {
    if (ended !== null) hub.disconnect(device, CLOSE.revoked, `device.${ended}`);
    else if (pending) hub.of(device)?.send(PENDING);
    else if (quarantined) hub.of(device)?.send(QUARANTINED);
    replace(hub, device, joins);
  }
};
