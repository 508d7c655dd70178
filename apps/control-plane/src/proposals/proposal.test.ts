import { readyTarget } from '@cordon/policy/approval/approved.ts';
import { targetDigest } from '@cordon/policy/approval/approval.ts';
import { signApproval } from '@cordon/policy/approval/signed-approval.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import type { TrustedRoot } from '@cordon/policy/trust/root.ts';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT, type Snapshot } from '../publishing/cohorts.ts';
import { affected } from './affected.ts';
import {
  approvalJws,
  freeze,
  payloadFor,
  payloadOf,
  payloadText,
  readSignatures,
  stateOf,
  wayBackMs,
  type FrozenGroup,
} from './proposal.ts';

const key = (name: string): KeyPair => keyPairFromSeed(createHash('sha256').update(name).digest());
const [one, two, stranger] = [key('one'), key('two'), key('stranger')];
const rootWith = (...approvers: readonly KeyPair[]): TrustedRoot =>
  ({ keys: () => new Map(approvers.map(({ kid, jwk }) => [kid, jwk])) }) as Partial<TrustedRoot> as TrustedRoot;

const assignment = (
  id: string,
  policyId: string,
  groupId: string,
  mode: 'include' | 'exclude' = 'include',
): Snapshot['assignments'][number] => ({
  id,
  policyId,
  groupId,
  groupName: groupId,
  everyone: groupId === 'grp_all',
  mode,
});
const snapshot: Snapshot = {
  policies: [
    { id: 'pol_b', name: 'b', revision: 2 },
    { id: 'pol_a', name: 'a', revision: 1 },
  ],
  assignments: [
    assignment('asg_3', 'pol_b', 'grp_servers'),
    assignment('asg_1', 'pol_a', 'grp_all'),
    assignment('asg_2', 'pol_a', 'grp_laptops', 'exclude'),
  ],
  exceptions: [],
};
const groups = new Map<string, FrozenGroup>([
  ['grp_servers', { membership: 'listed', devices: ['dev_2', 'dev_1'] }],
  ['grp_laptops', { membership: 'open', devices: ['dev_3'] }],
  ['grp_all', { membership: 'all', devices: [] }],
]);
const digestOf = (policy: string, revision: number): string => createHash('sha256').update(`${policy}@${revision}`).digest('hex');
const frozen = freeze(snapshot, digestOf, groups);

describe('a draft that is frozen', () => {
  it('says what decides who gets what, each list in its order, and of open groups nobody’s name', () => {
    expect(frozen.target.policies.map(({ policy, revision }) => [policy, revision])).toEqual([
      ['pol_a', 1],
      ['pol_b', 2],
    ]);
    expect(frozen.target.assignments.map(({ assignment: id }) => id)).toEqual(['asg_1', 'asg_2', 'asg_3']);
    expect(frozen.target.groups.map(({ group, members }) => [group, members.kind])).toEqual([
      ['grp_all', 'all'],
      ['grp_laptops', 'open'],
      ['grp_servers', 'listed'],
    ]);
    expect(frozen.lists).toEqual({ grp_servers: ['dev_1', 'dev_2'] });
    expect(readyTarget(frozen.target, frozen.lists).listedGroupsOf('dev_1')).toEqual(['grp_servers']);
  });

  it('is the same whatever the order in which the database gave it', () => {
    const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> => fc.shuffledSubarray([...items], { minLength: items.length });
    fc.assert(
      fc.property(
        shuffled(snapshot.policies),
        shuffled(snapshot.assignments),
        shuffled([...groups]),
        fc.boolean(),
        (policies, assignments, entries, turned) => {
          const named = new Map(
            entries.map(([id, group]) => [id, { ...group, devices: turned ? group.devices.toReversed() : group.devices }]),
          );
          const again = freeze({ policies, assignments, exceptions: [] }, digestOf, named);
          expect(targetDigest(again.target)).toBe(targetDigest(frozen.target));
          expect(again.lists).toEqual(frozen.lists);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('has no group that no assignment names, and cannot be without a document', () => {
    const more = new Map([...groups, ['grp_other', { membership: 'listed', devices: ['dev_9'] }]]);
    expect(freeze(snapshot, digestOf, more)).toEqual(frozen);
    expect(() => freeze(snapshot, () => undefined, groups)).toThrow(expect.objectContaining({ code: 'publish.document-missing' }));
  });
});

describe('what approvers sign', () => {
  const now = new Date('2026-06-01T00:00:00.000Z');
  const asked = { org: 'org_1', epoch: 2, from: { digest: 'a'.repeat(64), serial: 7 }, target: frozen.target, now, wayBack: '2d' };
  const payload = payloadFor(asked);

  it('names both targets, its time and the time of the way back', () => {
    expect(payload).toMatchObject({
      from: asked.from,
      to: targetDigest(frozen.target),
      expiresAt: '2026-06-08T00:00:00.000Z',
      wayBackUntil: '2026-06-03T00:00:00.000Z',
    });
    expect(payloadOf(payloadText(payload))).toEqual(payload);
    expect(payloadFor({ ...asked, from: null }).wayBackUntil).toBeNull();
    expect(payloadFor({ ...asked, wayBack: undefined }).wayBackUntil).toBeNull();
  });

  it.each(['0s', '31d', '721h'])('has no way back of %s', (text) => {
    expect(() => wayBackMs(text)).toThrow(expect.objectContaining({ code: 'proposal.way-back' }));
  });

  const text = payloadText(payload);
  const sign = (...keys: readonly KeyPair[]): Promise<string> => signApproval(payloadOf(text), keys);

  it('counts by key: one signature each, of approvers alone, and together they are one approval', async () => {
    const root = rootWith(one, two);
    const both = await readSignatures(await sign(one, stranger, two, one), text, root);
    expect(both.map(({ kid }) => kid)).toEqual([one.kid, two.kid]);
    expect((await readSignatures(approvalJws(text, both), text, root)).map(({ kid }) => kid)).toEqual([one.kid, two.kid]);
  });

  it('is refused when it is something else, by nobody known, or not signed at all', async () => {
    const root = rootWith(one);
    const code = (jws: string, wanted = text): Promise<unknown> =>
      readSignatures(jws, wanted, root).catch((error: { code: string }) => error.code);
    expect(await code(await sign(stranger))).toBe('proposal.unknown-approver');
    expect(await code(await sign(one), payloadText({ ...payload, epoch: 3 }))).toBe('proposal.other-payload');
    expect(await code(JSON.stringify({ payload: Buffer.from(text).toString('base64url'), signatures: [] }))).toBe('jws.encoding');
    const spoiled = (await sign(one)).replace(/"signature":"./, '"signature":"_');
    expect(await code(spoiled)).toMatch(/^jws\./);
  });
});

describe('a proposal', () => {
  const at = new Date('2026-06-01T00:00:00.000Z');
  it.each([
    ['open', 1, 'open'],
    ['open', 0, 'expired'],
    ['open', -1, 'expired'],
    ['published', -1, 'published'],
    ['superseded', -1, 'superseded'],
  ])('that is %s and has %i ms left is %s', (state, ms, expected) => {
    expect(stateOf({ state, expiresAt: new Date(at.getTime() + ms) }, at)).toBe(expected);
  });

  it('concerns the devices whose policies or revisions it changes, and no others', () => {
    const counts = [
      { groups: [], devices: 5 },
      { groups: ['grp_laptops'], devices: 7 },
      { groups: ['grp_servers'], devices: 11 },
    ];
    const revised: Snapshot = {
      ...snapshot,
      policies: snapshot.policies.map((policy) => ({ ...policy, revision: policy.id === 'pol_a' ? 9 : policy.revision })),
    };
    expect(affected(snapshot, snapshot, counts)).toBe(0);
    expect(affected(snapshot, revised, counts)).toBe(16);
    expect(affected(EMPTY_SNAPSHOT, snapshot, counts)).toBe(16);
  });
});
