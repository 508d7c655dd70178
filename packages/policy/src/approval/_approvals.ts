/** A small fleet for laws about approvals: five hosts, three policies of two revisions, five groups, four devices. What a bundle gives is easy to see. */
import fc from 'fast-check';
import type { AppliedPolicy, BundleContent } from '../effective.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { bundleBytes, documentDigest } from '../trust/bundle.ts';
import { membersDigest, type Target } from './approval.ts';
import type { Lists, Revision } from './approved.ts';

export const HOSTS = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}.example.com`);
const POLICIES = ['pol_a', 'pol_b', 'pol_c'];
export const GROUPS = { all: 'grp_all', listed: ['grp_l1', 'grp_l2'], open: ['grp_o1', 'grp_o2'] } as const;
export const DEVICES = ['dev_1', 'dev_2', 'dev_3', 'dev_4'];

export interface Rev extends Revision {
  readonly document: PolicyDocument;
}

/** Every one lets programs start; what differs is hosts. */
const documentOf = (name: string, allow: readonly string[], deny: readonly string[]): PolicyDocument => ({
  apiVersion: 'cordon/v1',
  kind: 'ContainmentPolicy',
  metadata: { name },
  spec: {
    allow: { network: { hosts: ['base.example.com', ...allow].map((host) => ({ host })) } },
    ...(deny.length > 0 && { deny: { network: { hosts: deny.map((host) => ({ host })) } } }),
  },
});

export const revOf = (policy: string, revision: number, allow: readonly string[], deny: readonly string[] = []): Rev => {
  const document = documentOf(policy.replace('_', '-'), allow, deny);
  return { policy, revision, digest: documentDigest(document), document };
};

/** What a device can reach with these, and whether anything starts at all: the slow, obvious meaning. */
export const powerOf = (revisions: readonly Rev[]): ReadonlySet<string> => {
  const named = (verb: 'allow' | 'deny'): string[] =>
    revisions.flatMap(({ document }) => (document.spec[verb]?.network?.hosts ?? []).map(({ host }) => host));
  const denied = new Set(named('deny'));
  return new Set([...(revisions.length > 0 ? ['start'] : []), ...named('allow').filter((host) => !denied.has(host))]);
};

export const bundleOf = (revisions: readonly Rev[]): string => {
  const content: BundleContent = {
    format: 'cordon-bundle/1',
    language: 'cordon/v1',
    policies: revisions.map(({ policy, revision, document }): AppliedPolicy => ({
      policy,
      name: policy,
      revision,
      document,
      because: [{ assignment: 'asg_x', group: GROUPS.all, groupName: 'All devices' }],
    })),
    exceptions: [],
  };
  return bundleBytes(content);
};

const someHosts = fc.subarray(HOSTS);
const someRev = (policy: string, revision: number): fc.Arbitrary<Rev> =>
  fc.tuple(someHosts, fc.subarray(HOSTS, { maxLength: 2 })).map(([allow, deny]) => revOf(policy, revision, allow, deny));

/** Two revisions of each policy: targets and bundles are made of the same ones, so that they meet. */
export const someRevs: fc.Arbitrary<readonly Rev[]> = fc.tuple(...POLICIES.flatMap((policy) => [someRev(policy, 1), someRev(policy, 2)]));

/** Each policy once at most. */
export const someBundle = (revs: readonly Rev[]): fc.Arbitrary<readonly Rev[]> =>
  fc
    .tuple(...POLICIES.map((policy) => fc.option(fc.constantFrom(...revs.filter((rev) => rev.policy === policy)), { nil: undefined })))
    .map((chosen) => chosen.flatMap((rev) => rev ?? []));

export interface Side {
  readonly target: Target;
  readonly lists: Lists;
  readonly revs: readonly Rev[];
}

const ALL_GROUPS = [GROUPS.all, ...GROUPS.listed, ...GROUPS.open];

export const sideOf = (
  revs: readonly Rev[],
  assigned: readonly { readonly policy: string; readonly group: string; readonly mode: 'include' | 'exclude' }[],
  lists: Lists,
): Side => ({
  target: {
    format: 'cordon-target/1',
    policies: revs.map(({ policy, revision, digest }) => ({ policy, revision, digest })).sort((a, b) => (a.policy < b.policy ? -1 : 1)),
    assignments: assigned.map((one, i) => ({ assignment: `asg_${String(i).padStart(2, '0')}`, ...one })),
    groups: ALL_GROUPS.toSorted().map((group) => ({
      group,
      members:
        group === GROUPS.all
          ? { kind: 'all' }
          : (GROUPS.open as readonly string[]).includes(group)
            ? { kind: 'open' }
            : { kind: 'listed', count: lists[group]?.length ?? 0, digest: membersDigest(lists[group] ?? []) },
    })),
  },
  lists,
  revs,
});

export const someSide = (revs: readonly Rev[]): fc.Arbitrary<Side> =>
  fc
    .record({
      chosen: fc.tuple(...POLICIES.map((policy) => fc.constantFrom(...revs.filter((rev) => rev.policy === policy)))),
      assigned: fc.array(
        fc.record({
          policy: fc.constantFrom(...POLICIES),
          group: fc.constantFrom(...ALL_GROUPS),
          mode: fc.constantFrom('include' as const, 'include' as const, 'exclude' as const),
        }),
        { maxLength: 6 },
      ),
      l1: fc.subarray(DEVICES),
      l2: fc.subarray(DEVICES),
    })
    .map(({ chosen, assigned, l1, l2 }) => sideOf(chosen, assigned, { grp_l1: l1, grp_l2: l2 }));

const subsets = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  items.reduce<readonly (readonly T[])[]>((all, item) => [...all, ...all.map((set) => [...set, item])], [[]]);

/** What the target gives a device of these groups, said as plainly as can be. */
export const givenTo = ({ target, lists, revs }: Side, device: string, open: readonly string[]): readonly Rev[] => {
  const isIn = (group: string): boolean =>
    group === GROUPS.all ||
    (lists[group] ?? []).includes(device) ||
    ((GROUPS.open as readonly string[]).includes(group) && open.includes(group));
  return revs.filter(
    ({ policy }) =>
      target.assignments.some((one) => one.policy === policy && one.mode === 'include' && isIn(one.group)) &&
      !target.assignments.some((one) => one.policy === policy && one.mode === 'exclude' && isIn(one.group)),
  );
};

/** Everything that it may give the device, whoever says which open groups it is in. */
export const mayGive = (side: Side, device: string): readonly (readonly Rev[])[] =>
  subsets(GROUPS.open).map((open) => givenTo(side, device, open));

export const isWithin = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].every((one) => b.has(one));
