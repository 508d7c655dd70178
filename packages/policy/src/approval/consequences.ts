/** What it means for devices when one target takes the place of another: who gains and who loses what, for people who are to approve it. */
import { deltaOf } from '../delta/delta.ts';
import type { Delta } from '../delta/entry.ts';
import { narrowsSets, type SetVerdict } from '../delta/sets/narrows-sets.ts';
import { usualLaunch } from '../delta/sets/valuations.ts';
import { prepareException, withExceptions, type ExceptionTerms } from '../document/exception.ts';
import { preparePolicy } from '../document/prepare.ts';
import type { PreparedPolicy } from '../document/prepared.ts';
import type { PolicyDocument } from '../document/schema.ts';
import type { PathVariables, Subject } from '../effective.ts';
import { CordonError } from '../errors.ts';
import { resolve } from '../resolve.ts';
import { audiencesOf, exceptionsFor, policiesFor, type Audience, type TargetSide } from './audiences.ts';

export interface Consequence {
  /** All kinds of devices for which it is the same. */
  readonly audiences: readonly Audience[];
  /** Ids of policies, and of exceptions. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Whether those devices can only lose by it. */
  readonly verdict: SetVerdict;
  /** For one launch: one in which something is gained where there is such a launch. */
  readonly example: Delta & { readonly subject: Subject };
}

export interface Consequences {
  readonly changes: readonly Consequence[];
  /** Different changes beyond those that are told. */
  readonly untold: number;
}

/** Changes that a person can look through, and a machine compute while the person waits. */
const MAX_CHANGES = 50;

/** What a device of an audience gets on one side. */
interface Given {
  readonly policies: ReturnType<typeof policiesFor>;
  readonly exceptions: readonly ExceptionTerms[];
}

const keyOf = ({ policies, exceptions }: Given): string =>
  [...policies.map(({ digest }) => digest).sort(), ...exceptions.map(({ id }) => id)].join(' ');

const idsOf = ({ policies, exceptions }: Given): string[] => [...policies.map(({ policy }) => policy), ...exceptions.map(({ id }) => id)];

const named = (policies: readonly PreparedPolicy[], list: 'agents' | 'users' | 'os', otherwise: string): string =>
  policies.flatMap(({ match }) => [...match[list]]).find((name) => name !== '*') ?? otherwise;

/** Whom the policies are about, where no launch is known in which something is gained. */
const someone = (policies: readonly PreparedPolicy[]): { readonly subject: Subject; readonly variables: PathVariables } => {
  const os = named(policies, 'os', 'linux');
  const subject: Subject = {
    agent: { id: named(policies, 'agents', 'some-agent'), proof: 'proven' },
    user: named(policies, 'users', 'some-user'),
    os: os === 'windows' || os === 'macos' ? os : 'linux',
  };
  return { subject, variables: usualLaunch(subject.os) };
};

const compare = (before: readonly PreparedPolicy[], after: readonly PreparedPolicy[]): Pick<Consequence, 'verdict' | 'example'> => {
  const verdict = narrowsSets({ policies: before, floor: undefined }, { policies: after, floor: undefined });
  const { subject, variables } = verdict.verdict === 'no' ? verdict.witness : someone([...after, ...before]);
  const effective = (policies: readonly PreparedPolicy[]): ReturnType<typeof resolve> =>
    resolve({ policies, floor: undefined, subject, variables });
  return { verdict, example: { subject, ...deltaOf(effective(before), effective(after)) } };
};

/**
 * @param before undefined: nothing was approved yet, so all is gained
 * @param documentOf by digest; its content was compared with the digest by the caller
 * @param now exceptions that have ended by then give nothing, before or after
 * @throws CordonError `approval.document-missing`
 */
export const consequencesOf = (
  before: TargetSide | undefined,
  after: TargetSide,
  documentOf: (digest: string) => PolicyDocument | undefined,
  now: Date,
): Consequences => {
  const known = new Map<string, PreparedPolicy>();
  const prepared = ({ policy, digest, revision }: Given['policies'][number]): PreparedPolicy => {
    const document = documentOf(digest);
    if (document === undefined)
      throw new CordonError(
        'approval.document-missing',
        `the document ${digest} of policy ${policy} is not there; without it nobody can tell what it allows`,
      );
    const name = `${policy}@${revision} ${digest}`;
    const made = known.get(name) ?? preparePolicy({ policy, name: document.metadata.name, revision, document, because: [] });
    known.set(name, made);
    return made;
  };
  const inForce = ({ policies, exceptions }: Given): readonly PreparedPolicy[] =>
    withExceptions(
      policies.map(prepared),
      exceptions.map((terms) => prepareException({ ...terms, because: [] })),
      now,
    );
  const given = (side: TargetSide | undefined, groups: readonly string[]): Given => ({
    policies: policiesFor(side?.target, groups),
    exceptions: exceptionsFor(side?.target, groups, now),
  });
  const changes = new Map<string, { audiences: Audience[]; was: Given; is: Given }>();
  for (const audience of audiencesOf(before, after)) {
    const was = given(before, [...audience.listed.before, ...openIn(before, audience.open)]);
    const is = given(after, [...audience.listed.after, ...openIn(after, audience.open)]);
    const key = `${keyOf(was)} > ${keyOf(is)}`;
    if (keyOf(was) === keyOf(is)) continue;
    const change = changes.get(key) ?? { audiences: [], was, is };
    change.audiences.push(audience);
    changes.set(key, change);
  }
  const all = [...changes.values()];
  const told = all.slice(0, MAX_CHANGES).map(({ audiences, was, is }): Consequence => ({
    audiences,
    before: idsOf(was),
    after: idsOf(is),
    ...compare(inForce(was), inForce(is)),
  }));
  return { changes: told, untold: all.length - told.length };
};

/** Of these groups those that are open in a target: into a listed one nobody is put without being listed. */
const openIn = (side: TargetSide | undefined, groups: readonly string[]): readonly string[] => {
  const open = new Set((side?.target.groups ?? []).filter(({ members }) => members.kind === 'open').map(({ group }) => group));
  return groups.filter((group) => open.has(group));
};
