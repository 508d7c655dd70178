import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstBroken, type ChainedEntry } from '@cordon/policy/trust/audit-chain.ts';
import { connect, hello, verify } from './_channel.ts';
import { enrolDevice, newKey, POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
beforeAll(async () => {
  test = await startPlane();
});
afterAll(() => test.close());

const made = async (url: string, body: object): Promise<{ id: string; token: string }> => {
  const answer = await test.admin<{ id: string; token: string }>('POST', url, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body;
};

describe('everything at once', () => {
  it('enrollments, group changes, revisions, revocations and publishes beside each other all succeed, and agree in the end', async () => {
    const groups = await Promise.all([0, 1, 2].map((i) => made('/groups', { name: `group ${i}`, membership: 'open' })));
    const policies: { id: string }[] = [];
    for (const i of [0, 1, 2]) policies.push(await made('/policies', { yaml: POLICY.replace('coding-agents', `policy-${i}`) }));
    for (const [i, { id }] of policies.entries()) await made('/assignments', { policyId: id, groupId: groups[i]?.id });
    const { token } = await made('/enrollment-tokens', { name: 'all', maxUses: 200, groupId: groups[0]?.id });
    const early = await Promise.all(Array.from({ length: 10 }, () => enrolDevice(test, token, newKey())));

    const statuses = await Promise.all([
      ...Array.from({ length: 40 }, () => enrolDevice(test, token, newKey()).then(({ status }) => ['enrol', status])),
      ...Array.from({ length: 10 }, (_, i) =>
        test.admin('POST', '/publish', { body: { title: `publish ${i}` } }).then(({ status }) => ['publish', status]),
      ),
      ...early.flatMap(({ body: { device } }, i) => [
        test.admin('PUT', `/groups/${groups[1]?.id}/members/${device}`).then(({ status }) => ['join', status]),
        test
          .admin('PUT', `/groups/${groups[2]?.id}/members/${device}`)
          .then(() => test.admin('DELETE', `/groups/${groups[2]?.id}/members/${device}`))
          .then(({ status }) => ['leave', status]),
        ...(i < 3 ? [test.admin('POST', `/devices/${device}/revoke`).then(({ status }) => ['revoke', status])] : []),
      ]),
      ...policies.map(({ id }, i) =>
        test
          .admin('POST', `/policies/${id}/revisions`, {
            body: { yaml: POLICY.replace('coding-agents', `policy-${i}`).replace('api.example.com', 'other.example.com') },
          })
          .then(({ status }) => ['revise', status]),
      ),
    ]);
    // A revoked device may be too late to join a group; everything else must succeed.
    const failed = statuses.filter(
      ([what, status]) => !(Number(status) < 300 || (status === 404 && (what === 'join' || what === 'leave'))),
    );
    expect(failed).toEqual([]);

    const last = (await test.admin<{ serial: number }>('POST', '/publish', { body: { title: 'last' } })).body;
    const { prisma, published } = test.plane.context;
    const devices = await prisma.device.findMany({ include: { memberships: true, cohort: true } });
    expect(devices).toHaveLength(50);
    expect(devices.map(({ memberIndex }) => memberIndex).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    const cohortOf = new Map<string, string>();
    for (const { id, revokedAt, cohortId, memberships } of devices) {
      expect(published.devices.get(id)?.cohort ?? null, id).toBe(cohortId);
      if (revokedAt !== null) {
        expect(cohortId).toBeNull();
        continue;
      }
      // Equal groups, equal cohort; different groups, different cohort.
      const set = memberships
        .map(({ groupId }) => groupId)
        .sort()
        .join();
      expect(cohortOf.get(set) ?? cohortId, id).toBe(cohortId);
      cohortOf.set(set, cohortId ?? '');
    }
    expect(new Set(cohortOf.values()).size).toBe(cohortOf.size);
    const entries = await prisma.auditEntry.findMany({ orderBy: { seq: 'asc' } });
    expect(firstBroken(entries.map((entry): ChainedEntry => ({ ...entry, seq: Number(entry.seq) })))).toBeUndefined();
    const serials = await prisma.changeSet.findMany({ orderBy: { serial: 'asc' }, select: { serial: true } });
    expect(new Set(serials.map(({ serial }) => serial)).size).toBe(11);

    // What all of that came to is what a device verifies.
    const one = devices.find(({ revokedAt, memberships }) => revokedAt === null && memberships.length === 2);
    if (one === undefined) throw new Error('no device in two groups');
    const channel = connect(test, one.id);
    await channel.next('welcome');
    channel.send(hello());
    const state = await verify(test, one, await channel.next('state'), await channel.next('membership'));
    expect(state.serial).toBeGreaterThanOrEqual(last.serial);
    expect(state.content.policies.map(({ name, revision }) => [name, revision]).sort()).toEqual([
      ['policy-0', 2],
      ['policy-1', 2],
    ]);
    channel.close();
  });

  it('two owners that revoke each other at the same moment: one stays', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { items } = (
        await test.admin<{ items: { id: string; role: string; revokedAt: string | null }[] }>('GET', '/api-tokens?limit=500')
      ).body;
      const [first] = items.filter(({ role, revokedAt }) => role === 'owner' && revokedAt === null);
      const second = await made('/api-tokens', { name: 'second', role: 'owner' });
      const answers = await Promise.all([
        test.admin('DELETE', `/api-tokens/${first?.id}`, { token: second.token }),
        test.admin('DELETE', `/api-tokens/${second.id}`),
      ]);
      const left = await test.plane.context.prisma.apiToken.count({ where: { role: 'owner', revokedAt: null } });
      expect(left, answers.map(({ status }) => status).join()).toBe(1);
      // Go on with whichever token is left as the first owner's.
      if (answers[0]?.status === 204) {
        await test.plane.context.prisma.apiToken.update({ where: { id: first?.id ?? '' }, data: { revokedAt: null } });
        await test.plane.context.prisma.apiToken.update({ where: { id: second.id }, data: { revokedAt: new Date() } });
      }
    }
  });
});
