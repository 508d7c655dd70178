/** A proposal as its approver must see it: all that can be computed is computed here again, from what would be signed. Pure. */
import { Compile } from 'typebox/compile';
import { ApprovalPayload, targetDigest } from '@cordon/policy/approval/approval.ts';
import { readyTarget } from '@cordon/policy/approval/approved.ts';
import type { TargetSide } from '@cordon/policy/approval/audiences.ts';
import { consequencesOf, type Consequences } from '@cordon/policy/approval/consequences.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { documentDigest } from '@cordon/policy/trust/bundle.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { parseStrictJson } from '@cordon/policy/trust/strict-json.ts';
import type { ProposalDetail } from './wire.ts';

export interface Review {
  /** Its members stand in the order in which they are signed. */
  readonly payload: ApprovalPayload;
  readonly before: TargetSide | undefined;
  readonly after: TargetSide;
  readonly consequences: Consequences;
}

const Payload = Compile(ApprovalPayload);

const mismatch = (what: string): CordonError =>
  new CordonError(
    'proposal.mismatch',
    `the server shows something else than it asks you to sign: ${what}; do not approve it, and look into the server`,
  );

const readPayload = (text: string): ApprovalPayload => {
  const value = parseStrictJson(text, { maxBytes: 4096, maxDepth: 4 });
  if (!Payload.Check(value) || canonicalJson(value) !== text) throw mismatch('the payload is not one of an approval');
  return value;
};

const checkSide = (side: TargetSide, digest: string, what: string): void => {
  readyTarget(side.target, side.lists);
  if (targetDigest(side.target) !== digest) throw mismatch(`${what} is not what the payload names`);
};

/** @throws CordonError `proposal.mismatch`, `approval.target`, `approval.document-missing` */
export const reviewOf = ({ payload: text, before, after, documents }: ProposalDetail, now: Date): Review => {
  const payload = readPayload(text);
  checkSide(after, payload.to, 'what is to be approved');
  if ((payload.from === null) !== (before === null)) throw mismatch('what was approved before is missing, or is made up');
  if (payload.from !== null && before !== null) checkSide(before, payload.from.digest, 'what was approved before');
  const known = new Map(documents.map(({ digest, document }) => [digest, document]));
  for (const [digest, document] of known)
    if (documentDigest(document) !== digest) throw mismatch(`the policy ${document.metadata.name} has another digest than is said`);
  const old = before ?? undefined;
  return { payload, before: old, after, consequences: consequencesOf(old, after, (digest) => known.get(digest), now) };
};
