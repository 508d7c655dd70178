/** The next key of this device: made and kept here first, proved together with the key before, and in force once the control plane has said so. */
import { Compile } from 'typebox/compile';
import { CordonError } from '@cordon/policy/errors.ts';
import { ChallengeReply, RekeyReply } from '@cordon/policy/protocol/enrollment.ts';
import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import type { Network } from '../network/network.ts';
import { call } from './device-api.ts';
import { adoptNextKey, dropNextKey, ensureNextKey, hasNextKey, loadDeviceKey, type DeviceKey } from './device-key.ts';
import type { Enrollment } from './enrollment.ts';

const Challenge = Compile(ChallengeReply);
const Reply = Compile(RekeyReply);

export interface RotationParts {
  readonly stateDir: string;
  readonly enrollment: Enrollment;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  readonly network: Network;
}

/**
 * Begins a rotation, or ends one that was cut off at any moment on either side: the same two keys get the same answer again.
 * @throws CordonError `server.*`, or the server's own code; the key before stays in use
 */
export const rotate = async ({ stateDir, enrollment, now, signal, network }: RotationParts): Promise<DeviceKey> => {
  const { server, org, device } = enrollment;
  const [key, next] = [loadDeviceKey(stateDir), ensureNextKey(stateDir, now())];
  if (next.kid === key.kid) return adoptNextKey(stateDir); // cut off between its last two writes
  const { nonce } = await call(server, '/agent/v1/rekey/challenge', { device }, Challenge, { network, signal });
  const statement = await signGeneral({ org, device, nonce, from: key.kid, to: next.kid }, 'cordon-rekey+jws', [key, next]);
  try {
    const reply = await call(server, '/agent/v1/rekey', { device, from: key.jwk, to: next.jwk, statement }, Reply, { network, signal });
    if (reply.key !== next.kid)
      throw new CordonError('server.reply', 'the server answered about another key than the one that was asked for');
  } catch (error) {
    // Somebody else has this very key: it is none.
    if (error instanceof CordonError && error.code === 'rekey.key-known') dropNextKey(stateDir);
    throw error;
  }
  return adoptNextKey(stateDir);
};

/** Before anything is signed with the key: which one is in force hangs on a rotation that was cut off. @throws as `rotate` */
export const finishRotation = async (parts: RotationParts): Promise<DeviceKey> =>
  hasNextKey(parts.stateDir) ? rotate(parts) : loadDeviceKey(parts.stateDir);
