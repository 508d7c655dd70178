/**
 * Joining an organisation again: for a device that its control plane does not know any more, because an older backup was restored. It stays with the organisation
 * that it has; nothing here ends enforcement, and nothing is believed that is older than what is known.
 */
import { CordonError } from '@cordon/policy/errors.ts';
import { lockState } from '../lock.ts';
import { followRoots } from '../policy-state/trust.ts';
import type { Enrollment } from './enrollment.ts';

/** @param fingerprint of the token. @throws CordonError `enroll.already` for a token of another organisation */
export const checkSameOrganisation = ({ device, fingerprint: known }: Enrollment, fingerprint: string): void => {
  if (fingerprint !== known)
    throw new CordonError(
      'enroll.already',
      `this device is enrolled as ${device}, and the token is of another organisation; a device leaves only when its organisation retires it`,
    );
};

/** The server's roots and floor go on from those that this device holds. @throws CordonError `enroll.roots`, `root.*`, `floor.*` */
export const checkGoesOn = async (
  already: Enrollment,
  { roots, floor }: { readonly roots: readonly string[]; readonly floor: string },
  now: Date,
): Promise<void> => {
  const held = already.roots.length;
  if (roots.length < held || already.roots.some((root, i) => root !== roots[i]))
    throw new CordonError(
      'enroll.roots',
      `the server has ${roots.length} roots, and this device holds ${held} that they do not go on from: the server was restored without its newest organisation.json`,
    );
  await followRoots(already, { type: 'roots', after: held, roots: roots.slice(held), floor }, now);
};

/** Runs it while no daemon uses the folder: a daemon would go on as the device that this was. @throws CordonError `daemon.already-running` */
export const withoutDaemon = async <T>(stateDir: string, work: () => Promise<T>): Promise<T> => {
  const lock = lockState(stateDir);
  try {
    return await work();
  } finally {
    lock.release();
  }
};
