import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import type { PolicyDocument } from '../document/schema.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import {
  bundleOf,
  DEVICES,
  givenTo,
  GROUPS,
  isWithin,
  mayGive,
  powerOf,
  revOf,
  sideOf,
  someBundle,
  someRevs,
  someSide,
  type Rev,
  type Side,
} from './_approvals.ts';
import { targetDigest } from './approval.ts';
import { readyTarget } from './approved.ts';
import { readHeld } from './held.ts';
import { judge, type Change, type Verdict } from './judge.ts';
import { NOTHING_APPROVED, type Standing } from './walk.ts';

const NOW = new Date('2026-11-24T12:00:00.000Z');

const standingOf = (approved: Side | undefined, before?: { readonly side: Side; readonly until: number }): Standing => ({
  approved:
    approved === undefined
      ? undefined
      : { ...readyTarget(approved.target, approved.lists), digest: targetDigest(approved.target), serial: 5, lists: approved.lists },
  before:
    before === undefined
      ? undefined
      : {
          ...readyTarget(before.side.target, before.side.lists),
          digest: targetDigest(before.side.target),
          lists: before.side.lists,
          until: before.until,
        },
});

interface Move {
  readonly device: string;
  readonly before: readonly Rev[] | undefined;
  readonly after: readonly Rev[];
  readonly cohort?: string;
}

/** Judges bundles made of these revisions; the signer knows the documents of what was approved. */
const asked = (
  moves: readonly Move[],
  standing: Standing,
  claims: readonly (readonly string[])[] = [],
  knows: readonly Rev[] | boolean = true,
): Verdict => {
  const bundles = new Map<string, string>();
  const documents = new Map<string, PolicyDocument>(Array.isArray(knows) ? knows.map(({ digest, document }) => [digest, document]) : []);
  const put = (revs: readonly Rev[]): string => {
    const text = bundleOf(revs);
    bundles.set(sha256Hex(text), text);
    if (knows === true) for (const { digest, document } of revs) documents.set(digest, document);
    return sha256Hex(text);
  };
  const changes = moves.map(({ device, before, after, cohort = 'coh_1' }): Change => ({
    device,
    before: before === undefined ? undefined : put(before),
    cohort,
    after: put(after),
  }));
  return judge({
    changes,
    standing,
    now: NOW,
    claimsOf: () => claims,
    heldOf: (digest) => {
      const text = bundles.get(digest);
      return text === undefined ? undefined : readHeld(text);
    },
    documentOf: (digest) => documents.get(digest),
  });
};

const [a1, a2, b1] = [
  revOf('pol_a', 1, ['a.example.com']),
  revOf('pol_a', 2, ['a.example.com', 'b.example.com']),
  revOf('pol_b', 1, ['c.example.com']),
];
const include = (policy: string, group: string): { policy: string; group: string; mode: 'include' } => ({ policy, group, mode: 'include' });
const exclude = (policy: string, group: string): { policy: string; group: string; mode: 'exclude' } => ({ policy, group, mode: 'exclude' });
const guard = revOf('pol_g', 1, [], ['b.example.com']);

describe('the judge', () => {
  it('accepts what only narrows, with nobody’s approval', () => {
    expect(asked([{ device: 'dev_1', before: [a2], after: [a1] }], NOTHING_APPROVED).verdict).toBe('accepted');
    expect(asked([{ device: 'dev_1', before: [a2], after: [] }], NOTHING_APPROVED).verdict).toBe('accepted');
    expect(asked([{ device: 'dev_1', before: undefined, after: [] }], NOTHING_APPROVED).verdict).toBe('accepted');
    expect(asked([{ device: 'dev_1', before: [a2], after: [a2, guard] }], NOTHING_APPROVED).verdict).toBe('accepted');
    expect(asked([{ device: 'dev_1', before: [a2, guard], after: [a2] }], NOTHING_APPROVED).verdict).toBe('refused');
    expect(
      asked([{ device: 'dev_1', before: [a2, b1], after: [a2, { ...b1, ...revOf('pol_b', 2, [], ['a.example.com']) }] }], NOTHING_APPROVED)
        .verdict,
    ).toBe('accepted');
  });

  it('refuses what loosens and nobody approved, and says who gains what', () => {
    const verdict = asked(
      [
        { device: 'dev_1', before: [a1], after: [a2] },
        { device: 'dev_2', before: [a1], after: [a2] },
        { device: 'dev_3', before: [a2], after: [a1], cohort: 'coh_2' },
      ],
      NOTHING_APPROVED,
    );
    expect(verdict).toMatchObject({
      verdict: 'refused',
      devices: 2,
      first: { device: 'dev_1', cohort: 'coh_1' },
      cohorts: ['coh_1'],
      witness: { gain: { category: 'network.host', target: 'b.example.com:443' } },
    });
    expect(verdict).toMatchObject({ why: expect.stringContaining('network.host b.example.com:443') as string });
  });

  it('accepts exactly what was approved for the device, and less; for whoever is listed', () => {
    const side = sideOf([a2, b1], [include('pol_a', GROUPS.all), include('pol_b', 'grp_l1')], { grp_l1: ['dev_1'], grp_l2: [] });
    const verdictFor = (device: string, after: readonly Rev[]): string =>
      asked([{ device, before: undefined, after }], standingOf(side), [], [a2, b1]).verdict;
    expect(verdictFor('dev_1', [a2, b1])).toBe('accepted');
    expect(verdictFor('dev_2', [a2, b1])).toBe('refused');
    expect(verdictFor('dev_2', [a2])).toBe('accepted');
    // Tightened since, and a device that is new gets no more than all others.
    expect(verdictFor('dev_2', [a1])).toBe('accepted');
    expect(asked([{ device: 'dev_2', before: undefined, after: [a1] }], standingOf(side), [], false).verdict).toBe('refused');
  });

  it('does not let a claim put a device into a listed group, or one take an exclusion away that a list makes', () => {
    const side = sideOf([a2, b1], [include('pol_a', 'grp_l1'), include('pol_b', 'grp_o1'), exclude('pol_b', 'grp_l2')], {
      grp_l1: ['dev_1'],
      grp_l2: ['dev_3'],
    });
    const verdictFor = (device: string, after: readonly Rev[], claims: string[][]): string =>
      asked([{ device, before: undefined, after }], standingOf(side), claims).verdict;
    expect(verdictFor('dev_2', [a2], [['grp_l1']])).toBe('refused');
    expect(verdictFor('dev_1', [a2], [])).toBe('accepted');
    expect(verdictFor('dev_2', [b1], [['grp_o1']])).toBe('accepted');
    expect(verdictFor('dev_2', [b1], [])).toBe('refused');
    expect(verdictFor('dev_3', [b1], [['grp_o1']])).toBe('refused');
  });

  it('lets a device have both of two open groups, and never a mixture that no set of groups gives', () => {
    const side = sideOf([a2, guard], [include('pol_a', 'grp_o1'), include('pol_g', 'grp_o1')], { grp_l1: [], grp_l2: [] });
    expect(asked([{ device: 'dev_1', before: undefined, after: [a2, guard] }], standingOf(side), [['grp_o1']]).verdict).toBe('accepted');
    expect(asked([{ device: 'dev_1', before: undefined, after: [a2] }], standingOf(side), [['grp_o1'], ['grp_o2']]).verdict).toBe(
      'refused',
    );
  });

  it('knows the way back until its time is over', () => {
    const [old, now] = [a2, a1].map((rev) => sideOf([rev], [include('pol_a', GROUPS.all)], { grp_l1: [], grp_l2: [] })) as [Side, Side];
    const back = (until: number): string =>
      asked([{ device: 'dev_1', before: [a1], after: [a2] }], standingOf(now, { side: old, until })).verdict;
    expect(back(NOW.getTime() + 1)).toBe('accepted');
    expect(back(NOW.getTime())).toBe('refused');
    expect(back(NOW.getTime() - 1)).toBe('refused');
  });

  it('takes nothing on trust that it does not know: bundles, documents, or one that no device takes', () => {
    const unknown = judge({
      changes: [{ device: 'dev_1', before: 'a'.repeat(64), cohort: 'coh_1', after: 'b'.repeat(64) }],
      standing: NOTHING_APPROVED,
      now: NOW,
      claimsOf: () => [],
      heldOf: () => undefined,
      documentOf: () => undefined,
    });
    expect(unknown.verdict).toBe('refused');
    expect(() => readHeld(canonicalJson({ format: 'cordon-bundle/1' }))).toThrow(expect.objectContaining({ code: 'bundle.schema' }));
  });

  it('refuses a bundle in which a policy stands twice: what it means would hang on the order', () => {
    expect(() => readHeld(bundleOf([a1, a2]))).toThrow(expect.objectContaining({ code: 'bundle.schema' }));
    expect(() => readHeld(bundleOf([a1, a1]))).toThrow(expect.objectContaining({ code: 'bundle.schema' }));
  });

  it('does not take an exception for a part of what a device may keep, nor a bundle with one for what was approved', () => {
    const text = bundleOf([a1]);
    const withException = canonicalJson({
      ...(JSON.parse(text) as object),
      exceptions: [
        {
          id: 'exc_1',
          name: 'for a day',
          expiresAt: '2026-11-25T12:00:00.000Z',
          because: [],
          change: { kind: 'allow', allow: { network: { hosts: [{ host: 'b.example.com' }] } } },
        },
      ],
    });
    const texts = new Map([text, withException, bundleOf([a2])].map((one) => [sha256Hex(one), one]));
    const change = (before: string | undefined, after: string, standing = NOTHING_APPROVED): string =>
      judge({
        changes: [
          { device: 'dev_1', before: before === undefined ? undefined : sha256Hex(before), cohort: 'coh_1', after: sha256Hex(after) },
        ],
        standing,
        now: NOW,
        claimsOf: () => [],
        heldOf: (digest) => readHeld(texts.get(digest) ?? ''),
        documentOf: () => undefined,
      }).verdict;
    // What it had for a day it would have for ever.
    expect(change(withException, bundleOf([a2]))).toBe('refused');
    expect(change(withException, text)).toBe('accepted');
    expect(change(text, withException)).toBe('refused');
    const side = sideOf([a1], [include('pol_a', GROUPS.all)], { grp_l1: [], grp_l2: [] });
    expect(change(undefined, withException, standingOf(side))).toBe('refused');
    expect(change(undefined, text, standingOf(side))).toBe('accepted');
  });
});

const someWorld = someRevs.chain((revs) =>
  fc.record({
    revs: fc.constant(revs),
    approved: someSide(revs),
    before: someSide(revs),
    until: fc.constantFrom(NOW.getTime() - 1, NOW.getTime() + 1),
    claims: fc.array(fc.subarray([...GROUPS.open, ...GROUPS.listed]), { maxLength: 3 }),
    moves: fc.array(
      fc.record({
        device: fc.constantFrom(...DEVICES),
        before: fc.option(someBundle(revs), { nil: undefined }),
        after: someBundle(revs),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    /** Moves to what a target gives: or nearly nothing would be accepted. */
    given: fc.array(fc.record({ device: fc.constantFrom(...DEVICES), open: fc.subarray([...GROUPS.open]), old: fc.boolean() }), {
      maxLength: 2,
    }),
  }),
);

describe('laws of the judge', () => {
  it(
    'what it accepts gives no device more than it had, or than what was approved may give it',
    () => {
      let accepted = 0;
      fc.assert(
        fc.property(someWorld, ({ revs, approved, before, until, claims, moves, given }) => {
          const all: readonly Move[] = [
            ...moves.slice(given.length > 0 ? 2 : 0),
            ...given.map(({ device, open, old }) => ({ device, before: undefined, after: givenTo(old ? before : approved, device, open) })),
          ];
          const standing = standingOf(approved, { side: before, until });
          if (asked(all, standing, claims, revs).verdict !== 'accepted') return;
          accepted += all.length;
          for (const { device, before: had, after } of all) {
            const allowed = [...mayGive(approved, device), ...(until > NOW.getTime() ? mayGive(before, device) : []), had ?? []].map(
              powerOf,
            );
            expect(allowed.some((power) => isWithin(powerOf(after), power))).toBe(true);
          }
        }),
        { numRuns: LAW_RUNS },
      );
      expect(accepted).toBeGreaterThan(LAW_RUNS / 20);
    },
    LAW_TIMEOUT_MS,
  );

  it('accepts for every device what the target gives it, with the open groups that are claimed', () => {
    fc.assert(
      fc.property(
        someRevs.chain(someSide),
        fc.array(fc.record({ device: fc.constantFrom(...DEVICES), open: fc.subarray([...GROUPS.open]) }), { minLength: 1, maxLength: 4 }),
        (side, devices) => {
          const moves = devices.map(({ device, open }) => ({ device, before: undefined, after: givenTo(side, device, open) }));
          const claims = devices.map(({ open }) => open);
          expect(asked(moves, standingOf(side), claims, false).verdict).toBe('accepted');
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('says the same of all at once as of each alone', () => {
    fc.assert(
      fc.property(someWorld, ({ revs, approved, claims, moves }) => {
        const each = moves.filter((move) => asked([move], standingOf(approved), claims, revs).verdict === 'refused');
        const all = asked(moves, standingOf(approved), claims, revs);
        expect(all.verdict === 'refused' ? all.devices : 0).toBe(each.length);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 2) },
    );
  });

  it('refuses nothing that was covered when an open group is added to the target', () => {
    fc.assert(
      fc.property(someWorld, fc.constantFrom('include' as const, 'exclude' as const), ({ revs, approved, claims, moves }, mode) => {
        const wider: Side = {
          ...approved,
          target: {
            ...approved.target,
            groups: [...approved.target.groups, { group: 'grp_z', members: { kind: 'open' } }],
            assignments: [...approved.target.assignments, { assignment: 'asg_zz', policy: 'pol_a', group: 'grp_z', mode }],
          },
        };
        const covered = moves.filter((move) => asked([move], standingOf(approved), claims, revs).verdict === 'accepted');
        expect(asked(covered, standingOf(wider), claims, revs).verdict).toBe('accepted');
      }),
      { numRuns: Math.ceil(LAW_RUNS / 2) },
    );
  });
});
