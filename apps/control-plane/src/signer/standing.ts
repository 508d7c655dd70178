/** What people approved, as the signer keeps it and as one signer shows it to another. */
import { targetDigest } from '@cordon/policy/approval/approval.ts';
import { readyTarget } from '@cordon/policy/approval/approved.ts';
import { NOTHING_APPROVED, type Standing } from '@cordon/policy/approval/walk.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { StandingMark, TargetToKnow } from './contract.ts';

/** What a checkpoint carries of it. */
export const standingDigest = (mark: StandingMark): string => sha256Hex(canonicalJson(mark));

export const markOf = ({ approved, before }: Standing): StandingMark => ({
  approved: approved === undefined ? null : { digest: approved.digest, serial: approved.serial },
  before: before === undefined ? null : { digest: before.digest, until: new Date(before.until).toISOString() },
});

/**
 * The standing that a mark speaks of, from targets that nobody is believed to have kept right.
 * @throws CordonError `signer.standing` when one is missing, `approval.target` when its lists are others
 */
export const standingOf = ({ approved, before }: StandingMark, targets: readonly TargetToKnow[]): Standing => {
  const byDigest = new Map(targets.map((one) => [targetDigest(one.target), one]));
  const ready = (digest: string) => {
    const found = byDigest.get(digest);
    if (found === undefined) throw new CordonError('signer.standing', `the target ${digest} that people approved is missing`);
    return { ...readyTarget(found.target, found.lists), digest, lists: found.lists };
  };
  return {
    approved: approved === null ? NOTHING_APPROVED.approved : { ...ready(approved.digest), serial: approved.serial },
    before: before === null ? NOTHING_APPROVED.before : { ...ready(before.digest), until: Date.parse(before.until) },
  };
};
