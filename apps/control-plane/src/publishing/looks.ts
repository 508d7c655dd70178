/** Asks the judge about places, each kind of device once. The signer asks the same judge again, with what it knows itself. */
import { heldOf, readHeld, type Held } from '@cordon/policy/approval/held.ts';
import { judge } from '@cordon/policy/approval/judge.ts';
import { bundleBytes, documentDigest } from '@cordon/policy/trust/bundle.ts';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import type { Context } from '../context.ts';
import type { Approved } from '../proposals/proposals.ts';
import { contentOf, type Snapshot } from './cohorts.ts';
import type { Place } from './places.ts';
import type { CohortState } from './published.ts';

/** @returns why this device may not be put there as far as anybody has approved; undefined: it may */
export type Look = (device: string, has: CohortState | undefined, place: Place, open: readonly string[]) => string | undefined;

/** The documents of the snapshot are loaded. */
export const createLooks = ({ published, clock }: Context, snapshot: Snapshot, { standing, documentOf }: Approved): Look => {
  const now = clock();
  const answers = new Map<string, string | undefined>();
  const bundles = new Map<string, { readonly digest: string; readonly held: Held | undefined }>();
  const helds = new Map<string, Held | undefined>();
  const bundleOf = ({ key, assignments }: Place): { readonly digest: string; readonly held: Held | undefined } => {
    const known = bundles.get(key);
    if (known !== undefined) return known;
    const content = contentOf(assignments, snapshot, ({ id, revision }) => published.documents.get(`${id}@${revision}`));
    const documents = new Map(content.policies.map(({ document }) => [documentDigest(document), document]));
    const revisions = content.policies.map(({ policy, revision, document }) => ({ policy, revision, digest: documentDigest(document) }));
    const made = {
      digest: sha256Hex(bundleBytes(content)),
      held: heldOf(revisions, content.exceptions, (digest) => documents.get(digest)),
    };
    bundles.set(key, made);
    return made;
  };
  const stored = (digest: string): Held | undefined => {
    if (!helds.has(digest)) {
      const text = published.bundles.get(digest)?.text;
      helds.set(digest, text === undefined ? undefined : readHeld(text));
    }
    return helds.get(digest);
  };
  return (device, has, place, open) => {
    const listed = [standing.approved, standing.before].map((side) => side?.listedGroupsOf(device) ?? []);
    const kind = JSON.stringify([has?.digest, place.key, listed, open]);
    if (answers.has(kind)) return answers.get(kind);
    const { digest, held } = bundleOf(place);
    const verdict = judge({
      changes: [{ device, before: has?.digest, cohort: place.key, after: digest }],
      standing,
      now,
      claimsOf: () => [open],
      heldOf: (wanted) => (wanted === digest ? held : stored(wanted)),
      documentOf,
    });
    const why = verdict.verdict === 'accepted' ? undefined : verdict.why;
    answers.set(kind, why);
    return why;
  };
};
