/** From one approved target to the next: what stands, and which step an approval allows. Pure; each approval is used once. */
import { CordonError } from '../errors.ts';
import { targetDigest, type ApprovalPayload, type Target } from './approval.ts';
import { readyTarget, type Approved, type Lists } from './approved.ts';

/** What people approved, as far as it counts now. */
export interface Standing {
  readonly approved: (Approved & { readonly digest: string; readonly serial: number; readonly lists: Lists }) | undefined;
  /** The target before it, which may be put back in force until `until` (milliseconds since the epoch of time). */
  readonly before: (Approved & { readonly digest: string; readonly lists: Lists; readonly until: number }) | undefined;
}

/** The beginning of an epoch. */
export const NOTHING_APPROVED: Standing = { approved: undefined, before: undefined };

const leadsFrom = ({ approved }: Standing, { from }: Pick<ApprovalPayload, 'from'>): boolean =>
  from === null ? approved === undefined : from.digest === approved?.digest && from.serial === approved.serial;

/** Whether this approval brought what stands: whoever asks again lost the answer, or the transaction after it. It needs no second look. */
export const isWalked = (standing: Standing, approval: Pick<ApprovalPayload, 'from' | 'to'>): boolean =>
  standing.approved?.digest === approval.to && !leadsFrom(standing, approval);

/**
 * @param approval verified already (`verifyApproval`)
 * @param serial under which its target comes into force: above that of every target before, so an approval fits one moment and no other
 * @throws CordonError `approval.target|to|from|serial`
 */
export const walk = (standing: Standing, approval: ApprovalPayload, target: Target, lists: Lists, serial: number): Standing => {
  const digest = targetDigest(target);
  if (approval.to !== digest) throw new CordonError('approval.to', 'the target is not the one that was approved');
  const { approved } = standing;
  if (!leadsFrom(standing, approval))
    throw new CordonError(
      'approval.from',
      'another target was approved since this one was proposed, or the approval was used: propose again from what is in force',
    );
  if (approved !== undefined && serial <= approved.serial)
    throw new CordonError(
      'approval.serial',
      `the target that stands came into force with serial ${approved.serial}; the next needs a higher one`,
    );
  const until = approval.wayBackUntil;
  return {
    approved: { ...readyTarget(target, lists), digest, serial, lists },
    before: approved === undefined || until === null ? undefined : { ...approved, until: Date.parse(until) },
  };
};
