/** Whom this device believes: the roots that it enrolled under and those that followed, and the floor. Only a root that the one before has signed is followed. */
import { CordonError } from '@cordon/policy/errors.ts';
import type { RootsFrame } from '@cordon/policy/protocol/channel.ts';
import { verifyFloor } from '@cordon/policy/trust/floor.ts';
import { verifyRootChain } from '@cordon/policy/trust/root.ts';
import type { Enrollment } from '../identity/enrollment.ts';

/** No root expires for who only wants to know what it said. */
const BEFORE_ALL = new Date(0);

/**
 * @returns the enrollment with the newer roots and floor; nothing is kept yet
 * @throws CordonError `roots.order`, `root.*`, `floor.*`, `floor.rollback`, `jws.*`, `json.*`
 */
export const followRoots = async (enrollment: Enrollment, { after, roots, floor }: RootsFrame, now: Date): Promise<Enrollment> => {
  if (after !== enrollment.roots.length)
    throw new CordonError('roots.order', `the roots come after number ${after}; this device holds ${enrollment.roots.length}`);
  const chain = [...enrollment.roots, ...roots];
  const root = await verifyRootChain(chain, enrollment.fingerprint, now);
  const newer = await verifyFloor(floor, root);
  const older = await verifyFloor(enrollment.floor, await verifyRootChain(enrollment.roots, enrollment.fingerprint, BEFORE_ALL));
  if (newer.version < older.version)
    throw new CordonError('floor.rollback', `the floor is version ${newer.version}; this device holds version ${older.version}`);
  return { ...enrollment, roots: chain, floor };
};
