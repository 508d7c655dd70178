/**
 * The judge: whether a change of what devices get only narrows or is covered by what people approved. Pure. Devices are judged by class, never one by one;
 * whatever is not proven is refused.
 */
import type { SetVerdict, Witness } from '../delta/sets/narrows-sets.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { Approved, Prescription } from './approved.ts';
import { heldOf, narrows, NOTHING_HELD, type Held } from './held.ts';
import type { Standing } from './walk.ts';

/** One device that gets another bundle. */
export interface Change {
  readonly device: string;
  /** Digest of the bundle that it had at the same place of the members tree; undefined: none. */
  readonly before: string | undefined;
  /** Its cohort from now on, and the digest of that cohort's bundle. */
  readonly cohort: string;
  readonly after: string;
}

export interface Case {
  readonly changes: Iterable<Change>;
  readonly standing: Standing;
  readonly now: Date;
  /** For each cohort the distinct sets of open groups that its devices are said to be in; none when absent. */
  claimsOf(cohort: string): readonly (readonly string[])[];
  /** A bundle by its digest; undefined: not known, and then nothing is proven of it. */
  heldOf(digest: string): Held | undefined;
  /** Documents of approved targets, by digest, as far as they are known. */
  documentOf(digest: string): PolicyDocument | undefined;
}

export type Verdict =
  | { readonly verdict: 'accepted' }
  | {
      readonly verdict: 'refused';
      /** Of how many devices nothing is proven. */
      readonly devices: number;
      readonly first: { readonly device: string; readonly cohort: string };
      /** Every cohort in which there is such a device. */
      readonly cohorts: readonly string[];
      readonly why: string;
      /** Who gains what, where that is known. */
      readonly witness: Witness | undefined;
    };

interface Class {
  readonly change: Change;
  /** Listed groups under the target that stands, and under the one before. */
  readonly listed: readonly string[];
  readonly listedBefore: readonly string[];
  devices: number;
}

/** Proofs are dear; whoever asks for more of them at once is refused. */
const MAX_PROOFS = 4000;
/** Sets of open groups that are tried for all classes together. */
const MAX_TRIES = 2_000_000;

const classesOf = ({ changes, standing: { approved, before } }: Case): readonly Class[] => {
  const classes = new Map<string, Class>();
  for (const change of changes) {
    if (change.before === change.after) continue;
    const listed = approved?.listedGroupsOf(change.device) ?? [];
    const listedBefore = before?.listedGroupsOf(change.device) ?? [];
    const key = `${change.cohort}\t${change.before ?? ''}\t${change.after}\t${listed.join(' ')}\t${listedBefore.join(' ')}`;
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { change, listed, listedBefore, devices: 1 });
    else known.devices += 1;
  }
  return [...classes.values()];
};

const told = ({ subject, variables: _launch, gain }: Witness): string =>
  `agent ${subject.agent.id} of user ${subject.user} on ${subject.os} would gain ${gain.category} ${gain.target}`;

/** @returns accepted only when every device keeps what it has, narrows, or gets no more than what an approved target prescribes for it */
export const judge = (asked: Case): Verdict => {
  const { standing, now } = asked;
  let [proofs, tries] = [0, 0];
  const proven = new Map<string, SetVerdict>();
  const prove = (name: string, before: Held | undefined, after: Held): SetVerdict => {
    const known = proven.get(name);
    if (known !== undefined) return known;
    if (before === undefined) return { verdict: 'undecided', why: 'what it is compared with is not known' };
    proofs += 1;
    const verdict: SetVerdict = proofs > MAX_PROOFS ? { verdict: 'undecided', why: 'too much is asked at once' } : narrows(before, after);
    proven.set(name, verdict);
    return verdict;
  };
  const wayBack = standing.before !== undefined && standing.before.until > now.getTime() ? standing.before : undefined;

  /** What this target prescribes for devices of the class, for each set of open groups that is claimed. */
  const prescriptions = (target: Approved | undefined, listed: readonly string[], cohort: string): readonly Prescription[] => {
    if (target === undefined) return [];
    const found = new Map<string, Prescription>();
    for (const claimed of [[], ...asked.claimsOf(cohort)]) {
      tries += 1;
      if (tries > MAX_TRIES) break;
      const prescription = target.prescribe(listed, claimed);
      found.set(prescription.key, prescription);
    }
    return [...found.values()];
  };

  const judgeClass = ({ change, listed, listedBefore }: Class): SetVerdict => {
    const after = asked.heldOf(change.after);
    if (after === undefined) return { verdict: 'undecided', why: 'its bundle is not known' };
    const due = [...prescriptions(standing.approved, listed, change.cohort), ...prescriptions(wayBack, listedBefore, change.cohort)];
    if (due.some(({ key }) => key === after.key)) return { verdict: 'yes' };
    const had = change.before === undefined ? NOTHING_HELD : asked.heldOf(change.before);
    const narrower = prove(`had ${change.before ?? ''} ${change.after}`, had, after);
    if (narrower.verdict === 'yes') return narrower;
    // Less than what is prescribed may be had by who may have it all: otherwise nobody could tighten for those who come later.
    for (const { key, revisions, exceptions } of due) {
      const whole = heldOf(revisions, exceptions, asked.documentOf);
      if (prove(`due ${key} ${change.after}`, whole, after).verdict === 'yes') return { verdict: 'yes' };
    }
    return narrower;
  };

  const refused = classesOf(asked)
    .map((one) => ({ ...one, result: judgeClass(one) }))
    .filter(({ result }) => result.verdict !== 'yes');
  const [first] = refused;
  if (first === undefined) return { verdict: 'accepted' };
  const witnessed = refused.flatMap(({ result }) => (result.verdict === 'no' ? [result.witness] : []))[0];
  return {
    verdict: 'refused',
    devices: refused.reduce((sum, { devices }) => sum + devices, 0),
    first: { device: first.change.device, cohort: first.change.cohort },
    cohorts: [...new Set(refused.map(({ change }) => change.cohort))],
    why: witnessed !== undefined ? told(witnessed) : first.result.verdict === 'undecided' ? first.result.why : '',
    witness: witnessed,
  };
};
