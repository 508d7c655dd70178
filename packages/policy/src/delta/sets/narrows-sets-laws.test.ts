import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPolicies, arbitrarySpec, arbitrarySystem } from '../../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../../_laws.ts';
import { prepareFloor, preparePolicy } from '../../document/prepare.ts';
import { createDecider } from '../../decide/decider.ts';
import type { AppliedPolicy, EffectivePolicy, OperatingSystem, PathVariables, Subject } from '../../effective.ts';
import { canonicalPath } from '../../match/path.ts';
import { resolve } from '../../resolve.ts';
import { deltaOf } from '../delta.ts';
import { narrowsSets } from './narrows-sets.ts';
import { sampledGains, somePair, somePlacesPair } from '../_pairs.ts';
import type { PolicySet } from './subjects.ts';

type Spec = AppliedPolicy['document']['spec'];
const setOf = (policies: readonly AppliedPolicy[], floor?: Spec): PolicySet => ({
  policies: policies.map(preparePolicy),
  floor:
    floor === undefined
      ? undefined
      : prepareFloor({ apiVersion: 'cordon/v1', kind: 'ContainmentPolicy', metadata: { name: 'floor' }, spec: floor }, 1),
});

const someSubject: fc.Arbitrary<Subject> = fc.record({
  agent: fc.record({
    id: fc.constantFrom('claude-code', 'codex', 'unheard-of'),
    proof: fc.constantFrom('proven' as const, 'proven' as const, 'claimed' as const),
  }),
  user: fc.constantFrom('ann', 'bob', 'eve'),
  os: arbitrarySystem,
});

const native = (path: string, os: OperatingSystem): string =>
  os === 'windows' ? `C:${path.replace(/^\/srv/, '/data').replaceAll('/', '\\')}` : path;

/** Launches in which variables lie in each other, and where absolute rules point. */
const someVariables = (os: OperatingSystem): fc.Arbitrary<PathVariables> =>
  fc
    .record({
      home: fc.constantFrom('/', '/home/ann', '/srv/a', '/srv/ab/u', '/srv', '/etc/app/u', '/usr/share/u'),
      workspace: fc.constantFrom('~/src/app', '~/x', '~/x/y', '~/.config', '~/.config/p', '~', '/srv/a', '/srv/a/b/c', '/srv/q', '/w', ''),
      tmp: fc.constantFrom('/tmp', '/srv/a/b', '~/x'),
      tools: fc.constantFrom<string[]>([], ['/usr/local', '/opt'], ['/srv'], ['~/x', '~/x/y'], ['/']),
      agent: fc.constantFrom<string[]>([], ['~/.agent'], ['/srv/a'], ['~']),
    })
    .map(({ home, workspace, tmp, tools, agent }) => {
      const at = (text: string): string => canonicalPath(native(text.replace(/^~/, home), os), os);
      return {
        home: at(home),
        workspace: workspace === '' ? undefined : at(workspace),
        tmp: at(tmp),
        tools: tools.map(at),
        agent: agent.map(at),
      };
    });

/** Every place that either side names, and something in it: what `after` opens there and `before` does not. */
const opened = (before: EffectivePolicy, after: EffectivePolicy): readonly string[] => {
  if (after.refused !== undefined) return [];
  const { os } = after.subject;
  const places = [before, after].flatMap(({ paths, pathLimits }) => [
    ...paths.map(({ path }) => path),
    ...pathLimits.flatMap((limit) => limit.paths),
  ]);
  const [was, is] = [createDecider(before), createDecider(after)];
  return [...new Set(places.flatMap((place) => [place, `${place}${os === 'windows' ? '\\' : '/'}f`]))].flatMap((place) =>
    (['read', 'write'] as const)
      .filter((access) => is.path(place, access).verdict === 'allowed' && was.path(place, access).verdict === 'denied')
      .map((access) => `${access} ${place}`),
  );
};

/** Whoever launches whatever, wherever. */
const someLaunch = someSubject.chain((subject) => someVariables(subject.os).map((variables) => ({ subject, variables })));
const gainsAt = (a: PolicySet, b: PolicySet, launches: readonly { subject: Subject; variables: PathVariables }[]): readonly string[] =>
  launches.flatMap(({ subject, variables }, i) => {
    const [before, after] = [resolve({ ...a, subject, variables }), resolve({ ...b, subject, variables })];
    // What has no place does not depend on the launch: asked for two of them.
    return [...opened(before, after), ...(i < 2 ? sampledGains(before, after) : [])];
  });
const law = { numRuns: LAW_RUNS };

/** Only less is allowed, and only more is denied or limited. */
const narrowed = (old: Spec, more: Spec, keep: readonly boolean[]): Spec => {
  const kept = <T>(list: readonly T[] | undefined): T[] => (list ?? []).filter((_, i) => keep[i % keep.length] === true);
  const { allow, deny, limit, ...rest } = old;
  return {
    ...rest,
    ...(allow !== undefined && {
      allow: {
        ...(allow.filesystem !== undefined && {
          filesystem: { read: kept(allow.filesystem.read), write: kept(allow.filesystem.write) },
        }),
        ...(allow.network !== undefined && { network: { hosts: kept(allow.network.hosts), cidrs: kept(allow.network.cidrs) } }),
        ...(keep[0] === true && allow.ui !== undefined && { ui: allow.ui }),
        environment: kept(allow.environment),
      },
    }),
    ...((deny ?? more.deny) !== undefined && { deny: deny ?? more.deny }),
    ...((limit ?? more.limit) !== undefined && { limit: limit ?? more.limit }),
  };
};

describe('whether one set of policies is narrower than another', () => {
  it(
    'is never said wrongly: after a yes no launch of anybody gains anything',
    () => {
      fc.assert(
        fc.property(
          fc.oneof({ arbitrary: somePair, weight: 1 }, { arbitrary: somePlacesPair, weight: 4 }),
          fc.option(arbitrarySpec, { nil: undefined, freq: 1 }),
          fc.option(arbitrarySpec, { nil: undefined, freq: 1 }),
          fc.constantFrom(true, true, true, false),
          fc.array(someLaunch, { minLength: 5, maxLength: 5 }),
          ([before, after], floor, other, sameFloor, launches) => {
            // That the same is the same is for another test.
            fc.pre(JSON.stringify(before) !== JSON.stringify(after));
            const [a, b] = [setOf(before, floor), setOf(after, sameFloor ? floor : other)];
            if (narrowsSets(a, b).verdict !== 'yes') return;
            expect(gainsAt(a, b, launches)).toEqual([]);
          },
        ),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'is yes for what only takes away: fewer allows, more denies and limits',
    () => {
      fc.assert(
        fc.property(
          arbitraryPolicies,
          arbitrarySpec,
          fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
          fc.array(someLaunch, { minLength: 4, maxLength: 4 }),
          (policies, more, keep, launches) => {
            const after = policies.map((policy) => ({
              ...policy,
              document: { ...policy.document, spec: narrowed(policy.document.spec, more, keep) },
            }));
            const [a, b] = [setOf(policies), setOf(after)];
            expect(narrowsSets(a, b)).toEqual({ verdict: 'yes' });
            expect(gainsAt(a, b, launches)).toEqual([]);
          },
        ),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it(
    'is no only with a witness: who gains what, in which launch',
    () => {
      fc.assert(
        fc.property(fc.oneof(somePair, somePlacesPair), ([before, after]) => {
          const [a, b] = [setOf(before), setOf(after)];
          const result = narrowsSets(a, b);
          if (result.verdict !== 'no') return;
          const { subject, variables, gain } = result.witness;
          const { gained } = deltaOf(resolve({ ...a, subject, variables }), resolve({ ...b, subject, variables }));
          expect(gained).toContainEqual(gain);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS * 4,
  );

  it('does not depend on the order of policies', () => {
    fc.assert(
      fc.property(somePair, ([before, after]) => {
        const { verdict } = narrowsSets(setOf(before), setOf(after));
        expect(narrowsSets(setOf(before.toReversed()), setOf(after.toReversed())).verdict).toBe(verdict);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    );
  });
});
