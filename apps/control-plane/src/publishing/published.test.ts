import { verifyInclusion } from '@cordon/policy/trust/merkle.ts';
import { cohortLeafBytes, memberLeafBytes } from '@cordon/policy/trust/checkpoint.ts';
import { describe, expect, it } from 'vitest';
import { Published, type CohortState } from './published.ts';

const cohort = (id: string, index: number, digest: string): CohortState => ({
  id,
  key: `key of ${id}`,
  index,
  serial: 1,
  digest,
  assignments: [],
});
const filled = (): Published => {
  const published = new Published('org_1');
  published.checkpoint = { jws: 'a.b.c', digest: 'd', epoch: 0, serial: 1, issuedAt: new Date(0), expiresAt: new Date(1) };
  published.putCohort(cohort('coh_1', 0, 'one'));
  published.putCohort(cohort('coh_2', 1, 'two'));
  for (const digest of ['one', 'two']) published.bundles.set(digest, { text: `{"${digest}":1}`, manifest: 'm', expiresAt: new Date(9e15) });
  published.place('dev_1', 0, 'coh_1');
  published.place('dev_2', 1, undefined);
  published.place('dev_3', 2, 'coh_2');
  return published;
};

describe('what is in force, in memory', () => {
  it('gives proofs that a device can check against the roots', () => {
    const published = filled();
    const state = published.stateFrame('coh_2', true);
    const member = published.membershipFrame('dev_3')?.member;
    if (state === undefined || member === undefined) throw new Error('no frames');
    const { leaf, proof } = state.cohort;
    expect(verifyInclusion({ leaf: cohortLeafBytes(leaf), index: 1, size: 2, proof, root: published.tree.root() })).toBe(true);
    expect(
      verifyInclusion({ leaf: memberLeafBytes(member.leaf), index: 2, size: 3, proof: member.proof, root: published.members.root() }),
    ).toBe(true);
    expect(state.bundle).toBe('{"two":1}');
    expect(published.stateFrame('coh_2', false)?.bundle).toBeNull();
  });

  it('gives nothing to a device without a place, nor of a cohort that it does not have, nor while there is no checkpoint', () => {
    const published = filled();
    expect(published.membershipFrame('dev_2')).toBeUndefined();
    expect(published.membershipFrame('dev_9')).toBeUndefined();
    expect(published.stateFrame('coh_9', true)).toBeUndefined();
    published.invalidate();
    expect(published.membershipFrame('dev_1')).toBeUndefined();
    expect(published.stateFrame('coh_1', true)).toBeUndefined();
  });

  it('forgets bundles and documents that nothing in force needs', () => {
    const published = filled();
    published.bundles.set('old', { text: '', manifest: '', expiresAt: new Date(0) });
    published.snapshot = { policies: [{ id: 'pol_1', name: 'x', revision: 2 }], assignments: [], exceptions: [] };
    const document = { apiVersion: 'cordon/v1', kind: 'ContainmentPolicy', metadata: { name: 'x' }, spec: {} } as const;
    for (const name of ['pol_1@1', 'pol_1@2', 'pol_2@2']) published.documents.set(name, document);
    published.tidy();
    expect([...published.bundles.keys()]).toEqual(['one', 'two']);
    expect([...published.documents.keys()]).toEqual(['pol_1@2']);
  });

  it('is read only when trees and checkpoint agree: readers wait for whoever changes them', async () => {
    const published = filled();
    const order: string[] = [];
    const release = await published.acquire();
    const reading = published.read(() => order.push('read'));
    const changeAgain = async (): Promise<void> => {
      const finish = await published.acquire();
      order.push('changed again');
      finish();
    };
    const second = changeAgain();
    await Promise.resolve();
    order.push('changed');
    release();
    await Promise.all([reading, second]);
    expect(order[0]).toBe('changed');
    expect(order.slice(1).sort()).toEqual(['changed again', 'read']);
  });

  it('does one transition after another, also after one that failed', async () => {
    const published = new Published('org_1');
    let running = 0;
    const step = (fails: boolean) => async (): Promise<string> => {
      running += 1;
      expect(running).toBe(1);
      await Promise.resolve();
      running -= 1;
      if (fails) throw new Error('failed');
      return 'done';
    };
    const results = await Promise.allSettled([false, true, false].map((fails) => published.serialise(step(fails))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
