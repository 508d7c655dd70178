/**
 * Whether one set of policies is narrower than another for every agent, user, system and launch. For who must decide without people: a yes is proven, a no
 * comes with who gains what, and everything else is undecided.
 */
import { CordonError } from '../../errors.ts';
import type { PathVariables, Subject } from '../../effective.ts';
import { resolve } from '../../resolve.ts';
import { placelessGains } from '../delta.ts';
import { entryOf, inOrder, type DeltaEntry, type Gain } from '../entry.ts';
import { pathGains } from '../path-gains.ts';
import { placesNarrow } from './place-proof.ts';
import { unlikeAnything, withWorkspace } from './places.ts';
import { sideOf } from '../side.ts';
import { statementGains } from '../statement-gains.ts';
import { subjectsOf, type PolicySet } from './subjects.ts';
import { usualLaunch, valuations } from './valuations.ts';

export interface Witness {
  readonly subject: Subject;
  readonly variables: PathVariables;
  readonly gain: DeltaEntry;
}

export type SetVerdict =
  | { readonly verdict: 'yes' }
  | { readonly verdict: 'no'; readonly witness: Witness }
  /** Whoever may not loosen treats it as a loosening. */
  | { readonly verdict: 'undecided'; readonly why: string };

/** More subjects than policies of one device tell apart. Beyond, nothing is proven. */
const MAX_SUBJECTS = 2000;
/** Launches that are looked at for a witness. */
const MAX_LAUNCHES = 120;

const witness = (subject: Subject, variables: PathVariables, gains: readonly Gain[]): SetVerdict | undefined => {
  const [gain] = inOrder(gains.map((one) => entryOf(one, 'gained')));
  return gain === undefined ? undefined : { verdict: 'no', witness: { subject, variables, gain } };
};

const decide = (a: PolicySet, b: PolicySet): SetVerdict => {
  const subjects = subjectsOf([a, b]);
  const unlike = {
    linux: unlikeAnything([a, b], 'linux'),
    macos: unlikeAnything([a, b], 'macos'),
    windows: unlikeAnything([a, b], 'windows'),
  };
  const open: Subject[] = [];
  for (const subject of subjects.slice(0, MAX_SUBJECTS)) {
    const variables = unlike[subject.os];
    const [before, after] = [withWorkspace(a, subject, variables), withWorkspace(b, subject, variables)];
    const found = witness(subject, usualLaunch(subject.os), placelessGains(sideOf(after.effective), sideOf(before.effective)));
    if (found !== undefined) return found;
    if (after.effective.refused === undefined && !placesNarrow(before, after)) open.push(subject);
  }
  let launches = 0;
  for (const subject of open)
    for (const variables of valuations(a, b, subject.os)) {
      if ((launches += 1) > MAX_LAUNCHES) break;
      const [before, after] = [sideOf(resolve({ ...a, subject, variables })), sideOf(resolve({ ...b, subject, variables }))];
      const found = witness(subject, variables, [...pathGains(after, before), ...statementGains(after, before)]);
      if (found !== undefined) return found;
    }
  const [first] = open;
  if (first !== undefined)
    return {
      verdict: 'undecided',
      why: `for agent ${first.agent.id} (${first.agent.proof}) of user ${first.user} on ${first.os} it depends on where homes, workspaces and tools lie`,
    };
  return subjects.length > MAX_SUBJECTS
    ? { verdict: 'undecided', why: `the policies tell ${subjects.length} subjects apart; at most ${MAX_SUBJECTS} are looked at` }
    : { verdict: 'yes' };
};

/** @param a before; @param b after; exceptions are applied to the policies by the caller. Only what is enforced counts: a policy in audit mode is none. */
export const narrowsSets = (a: PolicySet, b: PolicySet): SetVerdict => {
  try {
    return decide(a, b);
  } catch (error) {
    // A rule that means nothing on one system: nobody knows what it will mean there.
    if (!(error instanceof CordonError)) throw error;
    return { verdict: 'undecided', why: error.message };
  }
};
