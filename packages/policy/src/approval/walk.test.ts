import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { codeOf } from '../trust/_refusal.ts';
import { GROUPS, revOf, sideOf, type Side } from './_approvals.ts';
import { targetDigest, type ApprovalPayload } from './approval.ts';
import { readyTarget } from './approved.ts';
import { isWalked, NOTHING_APPROVED, walk, type Standing } from './walk.ts';

const sides = [1, 2, 3].map((revision) =>
  sideOf([revOf('pol_a', revision, [])], [{ policy: 'pol_a', group: GROUPS.all, mode: 'include' }], { grp_l1: ['dev_1'], grp_l2: [] }),
);
const side = (i: number): Side => sides[i] ?? sideOf([], [], {});

const approvalOf = (from: ApprovalPayload['from'], to: Side, wayBackUntil: string | null = null): ApprovalPayload => ({
  format: 'cordon-approval/1',
  org: 'org_a',
  epoch: 0,
  from,
  to: targetDigest(to.target),
  issuedAt: '2026-11-24T12:00:00.000Z',
  expiresAt: '2026-11-25T12:00:00.000Z',
  wayBackUntil,
});
const standsAt = ({ approved }: Standing): ApprovalPayload['from'] =>
  approved === undefined ? null : { digest: approved.digest, serial: approved.serial };

describe('walking approvals', () => {
  it('leads from what stands to what was signed, and remembers the way back', () => {
    const first = walk(NOTHING_APPROVED, approvalOf(null, side(0)), side(0).target, side(0).lists, 3);
    expect(first).toMatchObject({ approved: { digest: targetDigest(side(0).target), serial: 3 }, before: undefined });
    const until = '2026-12-01T12:00:00.000Z';
    const second = walk(first, approvalOf(standsAt(first), side(1), until), side(1).target, side(1).lists, 4);
    expect(second).toMatchObject({ approved: { serial: 4 }, before: { digest: targetDigest(side(0).target), until: Date.parse(until) } });
    const third = walk(second, approvalOf(standsAt(second), side(2)), side(2).target, side(2).lists, 5);
    expect(third.before).toBeUndefined();
  });

  it('refuses another target, other lists, a beginning that is over, and a serial that does not grow', async () => {
    const { target, lists } = side(0);
    const first = walk(NOTHING_APPROVED, approvalOf(null, side(0)), target, lists, 3);
    const next = approvalOf(standsAt(first), side(1));
    expect(await codeOf(() => walk(first, next, side(2).target, side(2).lists, 4))).toBe('approval.to');
    expect(await codeOf(() => walk(first, approvalOf(null, side(1)), side(1).target, side(1).lists, 4))).toBe('approval.from');
    expect(await codeOf(() => walk(NOTHING_APPROVED, next, side(1).target, side(1).lists, 4))).toBe('approval.from');
    expect(await codeOf(() => walk(first, next, side(1).target, side(1).lists, 3))).toBe('approval.serial');
    for (const other of [
      {},
      { grp_l1: ['dev_2'], grp_l2: [] },
      { grp_l1: ['dev_1', 'dev_1'], grp_l2: [] },
      { ...lists, grp_o1: ['dev_2'] },
    ])
      expect(await codeOf(() => walk(first, next, side(1).target, other, 4))).toBe('approval.target');
  });

  it('knows an approval that it has walked, also when the same target is approved again', () => {
    const { target, lists } = side(0);
    const first = approvalOf(null, side(0));
    const stands = walk(NOTHING_APPROVED, first, target, lists, 3);
    expect(isWalked(NOTHING_APPROVED, first)).toBe(false);
    expect(isWalked(stands, first)).toBe(true);
    const again = approvalOf(standsAt(stands), side(0));
    expect(isWalked(stands, again)).toBe(false);
    const later = walk(stands, again, target, lists, 9);
    expect(standsAt(later)).toEqual({ digest: targetDigest(target), serial: 9 });
    expect(isWalked(later, again)).toBe(true);
  });

  it('uses each approval once, in whatever order and however often they are brought again', () => {
    const steps = fc.array(fc.oneof(fc.record({ make: fc.nat(2) }), fc.record({ replay: fc.nat(20) })), { maxLength: 25 });
    fc.assert(
      fc.property(steps, (all) => {
        let standing = NOTHING_APPROVED;
        let serial = 0;
        const made: { readonly approval: ApprovalPayload; readonly to: Side }[] = [];
        const used = new Set<ApprovalPayload>();
        for (const step of all) {
          if ('make' in step) made.push({ approval: approvalOf(standsAt(standing), side(step.make)), to: side(step.make) });
          const one = 'make' in step ? made.at(-1) : made[step.replay % Math.max(1, made.length)];
          if (one === undefined || isWalked(standing, one.approval)) continue;
          serial += 1;
          try {
            standing = walk(standing, one.approval, one.to.target, one.to.lists, serial);
          } catch (error) {
            expect((error as { code: string }).code).toBe('approval.from');
            continue;
          }
          expect(used.has(one.approval)).toBe(false);
          used.add(one.approval);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('a target', () => {
  const good = sideOf(
    [revOf('pol_a', 1, []), revOf('pol_b', 1, [])],
    [
      { policy: 'pol_a', group: GROUPS.all, mode: 'include' },
      { policy: 'pol_b', group: 'grp_l1', mode: 'include' },
    ],
    { grp_l1: ['dev_1'], grp_l2: [] },
  );
  const { target, lists } = good;

  it('is refused unsorted, with a name twice, or with one that leads nowhere', async () => {
    expect(await codeOf(() => readyTarget(target, lists))).toBe('accepted');
    const [first, second] = target.assignments;
    for (const wrong of [
      { ...target, policies: target.policies.toReversed() },
      { ...target, groups: target.groups.toReversed() },
      { ...target, assignments: target.assignments.toReversed() },
      { ...target, policies: [...target.policies, ...target.policies.slice(1)] },
      { ...target, policies: target.policies.slice(1) },
      { ...target, groups: target.groups.filter(({ group }) => group !== GROUPS.all) },
      { ...target, assignments: [first, second, { assignment: 'asg_99', policy: 'pol_z', group: GROUPS.all, mode: 'include' }] },
      { ...target, assignments: [{ assignment: 'asg\n00', policy: 'pol_a', group: GROUPS.all, mode: 'include' }] },
    ])
      expect(await codeOf(() => readyTarget(wrong as typeof target, lists)), JSON.stringify(wrong)).toBe('approval.target');
  });

  it('is not deceived by ids that read alike when they stand one a line', async () => {
    const split = sideOf([], [], { grp_l1: ['dev_1\ndev_2', 'dev_3'], grp_l2: [] });
    expect(await codeOf(() => readyTarget(split.target, { grp_l1: ['dev_1', 'dev_2\ndev_3'], grp_l2: [] }))).toBe('approval.target');
    expect(await codeOf(() => readyTarget(split.target, split.lists))).toBe('approval.target');
  });
});
