/** Exceptions before the judge: approved as part of a target, for whom it names, until they end; and never a way around it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import type { ExceptionTerms } from '../document/exception.ts';
import { ruleId } from '../document/rules.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import { bundleOf, DEVICES, GROUPS, HOSTS, isWithin, revOf, sideOf, type Rev, type Side } from './_approvals.ts';
import { targetDigest } from './approval.ts';
import { checkTarget, readyTarget } from './approved.ts';
import { readHeld } from './held.ts';
import { judge } from './judge.ts';
import { NOTHING_APPROVED, type Standing } from './walk.ts';

const NOW = new Date('2026-11-24T12:00:00.000Z');
const at = (hours: number): string => new Date(NOW.getTime() + hours * 3_600_000).toISOString();
const DENIED = 'd.example.com';
/** One policy, with one denial that can be suspended. */
const policy = revOf('pol_a', 1, ['a.example.com', DENIED], [DENIED]);
const denial = ruleId('pol_a', 'deny', 'network.hosts', { host: DENIED });

const allowing = (id: string, host: string, expiresAt: string): ExceptionTerms => ({
  id,
  name: id,
  expiresAt,
  change: { kind: 'allow', allow: { network: { hosts: [{ host }] } } },
});
const suspending = (id: string, expiresAt: string): ExceptionTerms => ({
  id,
  name: id,
  expiresAt,
  change: { kind: 'suspend', policy: 'pol_a', revision: 1, rule: denial },
});

type Placed = ExceptionTerms & { readonly group: string };
const withExceptions = (side: Side, exceptions: readonly Placed[]): Side => ({
  ...side,
  target: { ...side.target, ...(exceptions.length > 0 && { exceptions: exceptions.toSorted((a, b) => (a.id < b.id ? -1 : 1)) }) },
});
const bundle = (revs: readonly Rev[], exceptions: readonly ExceptionTerms[]): string =>
  canonicalJson({ ...(JSON.parse(bundleOf(revs)) as object), exceptions: exceptions.map((terms) => ({ ...terms, because: [] })) });
const base = sideOf([policy], [{ policy: 'pol_a', group: GROUPS.all, mode: 'include' }], { grp_l1: ['dev_1', 'dev_2'], grp_l2: [] });
const standingOf = (side: Side): Standing => ({
  approved: { ...readyTarget(side.target, side.lists), digest: targetDigest(side.target), serial: 1, lists: side.lists },
  before: undefined,
});

interface Move {
  readonly device: string;
  readonly before: string | undefined;
  readonly after: string;
  readonly claims?: readonly (readonly string[])[];
}
const verdictOf = (standing: Standing, { device, before, after, claims = [] }: Move): string => {
  const texts = new Map([before, after].flatMap((text) => (text === undefined ? [] : [[sha256Hex(text), text] as const])));
  return judge({
    changes: [{ device, before: before === undefined ? undefined : sha256Hex(before), cohort: 'coh_1', after: sha256Hex(after) }],
    standing,
    now: NOW,
    claimsOf: () => claims,
    heldOf: (digest) => readHeld(texts.get(digest) ?? ''),
    documentOf: (digest) => (digest === policy.digest ? policy.document : undefined),
  }).verdict;
};

const plain = bundle([policy], []);
const extra = allowing('exc_1', 'b.example.com', at(8));

describe('an exception', () => {
  it('is had by whom a target names it for, and by nobody else', () => {
    const approved = standingOf(withExceptions(base, [{ ...extra, group: 'grp_l1' }]));
    const after = bundle([policy], [extra]);
    expect(verdictOf(approved, { device: 'dev_1', before: plain, after })).toBe('accepted');
    expect(verdictOf(approved, { device: 'dev_3', before: plain, after })).toBe('refused');
    expect(verdictOf(approved, { device: 'dev_3', before: plain, after, claims: [['grp_l1']] })).toBe('refused');
    expect(verdictOf(NOTHING_APPROVED, { device: 'dev_1', before: plain, after })).toBe('refused');
    expect(verdictOf(standingOf(base), { device: 'dev_1', before: plain, after })).toBe('refused');
  });

  it.each<readonly [what: string, change: Partial<ExceptionTerms>]>([
    ['a later end', { expiresAt: at(9) }],
    ['another host', { change: { kind: 'allow', allow: { network: { hosts: [{ host: 'c.example.com' }] } } } }],
    ['a suspension instead', suspending('exc_1', at(8))],
  ])('with %s than was approved is another one', (_what, change) => {
    const approved = standingOf(withExceptions(base, [{ ...extra, group: GROUPS.all }]));
    expect(verdictOf(approved, { device: 'dev_1', before: plain, after: bundle([policy], [{ ...extra, ...change }]) })).toBe('refused');
  });

  it('may end earlier than was approved: only what it gives counts, not what it is called', () => {
    const approved = standingOf(withExceptions(base, [{ ...extra, group: GROUPS.all }]));
    const after = bundle([policy], [{ ...extra, id: 'exc_7', name: 'other', expiresAt: at(7) }]);
    expect(verdictOf(approved, { device: 'dev_1', before: plain, after })).toBe('accepted');
  });

  it('goes without anybody, and a device that comes later may have what is left', () => {
    const two = [extra, allowing('exc_2', 'c.example.com', at(4))];
    const approved = standingOf(
      withExceptions(
        base,
        two.map((one) => ({ ...one, group: GROUPS.all })),
      ),
    );
    expect(verdictOf(approved, { device: 'dev_1', before: bundle([policy], two), after: bundle([policy], [extra]) })).toBe('accepted');
    expect(verdictOf(approved, { device: 'dev_1', before: bundle([policy], two), after: plain })).toBe('accepted');
    expect(verdictOf(approved, { device: 'dev_4', before: undefined, after: bundle([policy], [extra]) })).toBe('accepted');
    expect(verdictOf(NOTHING_APPROVED, { device: 'dev_1', before: bundle([policy], [extra]), after: plain })).toBe('accepted');
  });

  it('that suspends a denial is judged by what it gives', () => {
    const one = suspending('exc_1', at(8));
    const after = bundle([policy], [one]);
    expect(verdictOf(standingOf(base), { device: 'dev_1', before: plain, after })).toBe('refused');
    expect(verdictOf(standingOf(withExceptions(base, [{ ...one, group: GROUPS.all }])), { device: 'dev_1', before: plain, after })).toBe(
      'accepted',
    );
    expect(verdictOf(NOTHING_APPROVED, { device: 'dev_1', before: after, after: plain })).toBe('accepted');
  });

  it('in a target stands in order, once, and for a group that is described', () => {
    const check = (exceptions: readonly Placed[]) => () => checkTarget({ ...base.target, exceptions: [...exceptions] });
    const [a, b] = [
      { ...extra, group: GROUPS.all },
      { ...extra, id: 'exc_2', group: 'grp_l1' },
    ];
    expect(check([a, b])).not.toThrow();
    for (const wrong of [[b, a], [a, a], [{ ...a, group: 'grp_x' }]])
      expect(check(wrong)).toThrow(expect.objectContaining({ code: 'approval.target' }));
    // A target without any has the bytes that it had before there were exceptions.
    expect('exceptions' in withExceptions(base, []).target).toBe(false);
  });

  const ends = fc.constantFrom(at(-1), at(1), at(2));
  const someException = fc.oneof(
    fc
      .tuple(fc.constantFrom('exc_1', 'exc_2'), fc.constantFrom(...HOSTS.slice(1, 3)), ends)
      .map(([id, host, end]) => allowing(id, host, end)),
    fc.tuple(fc.constantFrom('exc_3'), ends).map(([id, end]) => suspending(id, end)),
  );
  const someSet = fc.uniqueArray(someException, { selector: ({ id }) => id, maxLength: 3 });
  const groups = [GROUPS.all, ...GROUPS.listed, ...GROUPS.open];
  const placed = fc.uniqueArray(
    fc.tuple(someException, fc.constantFrom(...groups)).map(([one, group]) => ({ ...one, group })),
    { selector: ({ id }) => id, maxLength: 3 },
  );
  /** What a device reaches at a time: the slow, obvious meaning. */
  const powerAt = (hasPolicy: boolean, exceptions: readonly ExceptionTerms[], time: number): ReadonlySet<string> => {
    const living = exceptions.filter(({ expiresAt }) => Date.parse(expiresAt) > time);
    const allowed = living.flatMap(({ change }) =>
      change.kind === 'allow' ? (change.allow.network?.hosts ?? []).map(({ host }) => host) : [],
    );
    const isSuspended = living.some(({ change }) => change.kind === 'suspend');
    const own = hasPolicy ? ['start', 'base.example.com', 'a.example.com', ...(isSuspended ? [DENIED] : [])] : [];
    return new Set([...own, ...allowed, ...(allowed.length > 0 ? ['start'] : [])]);
  };

  it('never gives a device more at any time than it had then, or than a target gives it', { timeout: LAW_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(
        fc.record({
          approved: fc.option(placed),
          had: fc.option(someSet),
          gets: someSet,
          device: fc.constantFrom(...DEVICES),
          claims: fc.array(fc.subarray([...GROUPS.open]), { maxLength: 2 }),
        }),
        ({ approved, had, gets, device, claims }) => {
          const side = approved === null ? undefined : withExceptions(base, approved);
          const before = had === null ? undefined : bundle([policy], had);
          const standing = side === undefined ? NOTHING_APPROVED : standingOf(side);
          if (verdictOf(standing, { device, before, after: bundle([policy], gets), claims }) === 'refused') return;
          const isIn = (group: string, open: readonly string[]): boolean =>
            group === GROUPS.all || (base.lists[group] ?? []).includes(device) || open.includes(group);
          const given = side === undefined ? [] : [[], ...claims].map((open) => (approved ?? []).filter(({ group }) => isIn(group, open)));
          const times = [-2, 0, 1, 2].map((hours) => Date.parse(at(hours)));
          const always = (exceptions: readonly ExceptionTerms[] | null): boolean =>
            times.every((time) => isWithin(powerAt(true, gets, time), powerAt(exceptions !== null, exceptions ?? [], time)));
          expect(always(had) || given.some(always)).toBe(true);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });
});
