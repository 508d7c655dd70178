/** Devices from waiting to their tombstone. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { parseToken } from '@cordon/policy/trust/token.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { connect, follow, hello, sessionProof, type Memory } from './_channel.ts';
import { enrolDevice, newKey, POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
let group: string;
beforeAll(async () => {
  test = await startPlane();
  group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'laptops', membership: 'open' } })).body.id;
  const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
  await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group } });
  expect((await test.admin('POST', '/publish', { body: { title: 'first' } })).status).toBe(201);
});
afterAll(() => test.close());

interface View {
  readonly state: string;
  readonly thumbprint: string;
  readonly approvedAt: string | null;
  readonly revokedAt: string | null;
}
const newToken = async (body: object = {}): Promise<string> =>
  (await test.admin<{ token: string }>('POST', '/enrollment-tokens', { body: { name: 'test', groupId: group, maxUses: 1000, ...body } }))
    .body.token;
const join = async (
  token: string,
  key: KeyPair = newKey(),
): Promise<{ id: string; memberIndex: number; pending: boolean; key: KeyPair }> => {
  const { status, body } = await enrolDevice(test, token, key);
  expect(status).toBe(200);
  return { id: body.device, memberIndex: body.memberIndex, pending: 'pending' in body, key };
};
const view = async (id: string): Promise<View> => (await test.admin<View>('GET', `/devices/${id}`)).body;
const inState = async (state: string): Promise<string[]> =>
  (await test.admin<{ items: { id: string }[] }>('GET', `/devices?filter=state%3D${state}&limit=500`)).body.items.map(({ id }) => id);
const actions = async (id: string): Promise<string[]> =>
  (await test.admin<{ items: { action: string }[] }>('GET', `/audit?subject=${id}`)).body.items.map(({ action }) => action).toReversed();
type Results = { results: { device: string; done: boolean; code: string | null }[] };
const ask = (what: 'approve' | 'reject', devices: readonly string[]): Promise<Answer<Results>> =>
  test.admin<Results>('POST', `/devices/${what}`, { body: { devices } });
const refusal = ({ status, body }: Answer<{ code?: string }>): unknown => [status, body.code];
const session = async (id: string, key: KeyPair): Promise<Answer<{ code?: string; ticket?: string }>> => {
  const { body } = await test.device<{ nonce: string }>('POST', '/session/challenge', { device: id });
  return test.device('POST', '/session', { device: id, proof: await sessionProof(test, id, body.nonce, key) });
};

describe('a device that waits for an administrator', () => {
  it('has an id and a key, no place and no policy, and is told so', async () => {
    const device = await join(await newToken({ approval: true }));
    expect(device.pending).toBe(true);
    expect(await view(device.id)).toMatchObject({ state: 'pending', approvedAt: null, revokedAt: null });
    expect(await inState('pending')).toContain(device.id);
    expect(await inState('active')).not.toContain(device.id);
    const row = await test.plane.context.prisma.device.findUniqueOrThrow({ where: { id: device.id } });
    expect(row.cohortId).toBeNull();
    const compliance = await test.admin<{ state: string; reasons: { code: string }[] }>('GET', `/devices/${device.id}/compliance`);
    expect([compliance.body.state, compliance.body.reasons.map(({ code }) => code)]).toEqual(['NotApplicable', ['compliance.pending']]);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    expect(await channel.next('problem')).toMatchObject({ code: 'device.pending' });
    // Neither a publish nor a renewal gives it a place.
    await test.admin('POST', '/publish', { body: { title: 'again' } });
    expect(channel.waiting.filter(({ type }) => type === 'state')).toEqual([]);
    channel.close();
  });

  it('gets its state at once when it is approved, on the channel that it has', async () => {
    const device = await join(await newToken({ approval: true }));
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    await channel.next('problem');
    expect((await ask('approve', [device.id])).body.results).toEqual([{ device: device.id, done: true, code: null }]);
    const memory: Memory = {};
    const state = await follow(test, device, channel, memory, 1);
    expect(state.content.policies).toHaveLength(1);
    expect(await view(device.id)).toMatchObject({ state: 'active' });
    expect(await actions(device.id)).toEqual(['device.enroll', 'device.approve']);
    channel.close();
  });

  it('gets the same answer again after a lost one, also once it was approved', async () => {
    const token = await newToken({ approval: true });
    const device = await join(token);
    expect(await join(token, device.key)).toMatchObject({ id: device.id, pending: true });
    await ask('approve', [device.id]);
    expect(await join(token, device.key)).toMatchObject({ id: device.id, memberIndex: device.memberIndex, pending: false });
  });

  it('is turned away for good when it is rejected', async () => {
    const token = await newToken({ approval: true });
    const device = await join(token);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    expect((await ask('reject', [device.id])).body.results).toEqual([{ device: device.id, done: true, code: null }]);
    expect(await channel.closed).toEqual({ code: 4401, reason: 'device.rejected' });
    expect(await view(device.id)).toMatchObject({ state: 'rejected', approvedAt: null });
    expect(await inState('rejected')).toContain(device.id);
    expect(refusal(await session(device.id, device.key))).toEqual([401, 'session.refused']);
    expect(refusal(await enrolDevice(test, token, device.key))).toEqual([409, 'enroll.key-known']);
    expect(refusal(await test.admin('POST', `/devices/${device.id}/retire`))).toEqual([409, 'device.ended']);
    expect(await actions(device.id)).toEqual(['device.enroll', 'device.reject']);
  });

  it('is approved or rejected in bulk, each with its result; of two admins at once one decides', async () => {
    const token = await newToken({ approval: true });
    const [a, b, c] = [await join(token), await join(token), await join(token)];
    const active = await join(await newToken());
    const asked = [a.id, active.id, 'dev_none', b.id];
    expect((await ask('approve', asked)).body.results).toEqual([
      { device: a.id, done: true, code: null },
      { device: active.id, done: false, code: 'device.not-pending' },
      { device: 'dev_none', done: false, code: 'device.not-found' },
      { device: b.id, done: true, code: null },
    ]);
    const [approved, rejected] = await Promise.all([ask('approve', [c.id]), ask('reject', [c.id])]);
    const done = [approved, rejected].map(({ body }) => body.results[0]?.done);
    expect(done.filter(Boolean)).toHaveLength(1);
    expect((await view(c.id)).state).toBe(done[0] === true ? 'active' : 'rejected');
    expect(refusal((await ask('approve', [])) as Answer<{ code?: string }>)).toEqual([400, 'request.invalid']);
    expect(refusal((await ask('approve', [a.id, a.id])) as Answer<{ code?: string }>)).toEqual([400, 'request.invalid']);
    for (const { id } of [a, b]) {
      const row = await test.plane.context.prisma.device.findUniqueOrThrow({ where: { id } });
      expect(row.cohortId).not.toBeNull();
    }
  });
});

describe('a retired device', () => {
  it('leaves a tombstone: its place is vacant, its id and keys are never used again, and the machine can come back as another', async () => {
    const token = await newToken();
    const device = await join(token);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    const reply = await test.admin<View>('POST', `/devices/${device.id}/retire`);
    expect([reply.status, reply.body.state]).toEqual([200, 'retired']);
    expect(await channel.closed).toEqual({ code: 4401, reason: 'device.retired' });
    expect((await test.admin<View>('POST', `/devices/${device.id}/retire`)).body).toEqual(reply.body);
    expect(refusal(await session(device.id, device.key))).toEqual([401, 'session.refused']);
    expect(refusal(await enrolDevice(test, token, device.key))).toEqual([409, 'enroll.key-known']);
    expect(refusal(await enrolDevice(test, await newToken(), device.key))).toEqual([409, 'enroll.key-known']);
    const row = await test.plane.context.prisma.device.findUniqueOrThrow({ where: { id: device.id } });
    expect(row.cohortId).toBeNull();
    expect(await inState('retired')).toContain(device.id);
    expect(await actions(device.id)).toEqual(['device.enroll', 'device.retire']);
    const again = await join(await newToken());
    expect(again.id).not.toBe(device.id);
    expect(again.memberIndex).toBeGreaterThan(device.memberIndex);
  });

  it('may have been revoked before; nothing brings it back', async () => {
    const device = await join(await newToken());
    await test.admin('POST', `/devices/${device.id}/revoke`);
    expect((await view(device.id)).state).toBe('revoked');
    await test.admin('POST', `/devices/${device.id}/retire`);
    expect((await view(device.id)).state).toBe('retired');
    expect((await test.admin<View>('POST', `/devices/${device.id}/revoke`)).body.state).toBe('retired');
    expect((await ask('approve', [device.id])).body.results[0]?.code).toBe('device.not-pending');
    expect(await actions(device.id)).toEqual(['device.enroll', 'device.revoke', 'device.retire']);
    expect(refusal(await test.admin('POST', '/devices/dev_none_0000000000000000/retire'))).toEqual([404, 'device.not-found']);
  });

  it('ends as one word of the database, whatever a hand writes there', async () => {
    const { id } = await join(await newToken());
    const { prisma } = test.plane.context;
    await expect(prisma.device.update({ where: { id }, data: { revokedAt: new Date() } })).rejects.toThrow(/device_ended_as/);
    await expect(prisma.device.update({ where: { id }, data: { endedAs: 'retired' } })).rejects.toThrow(/device_ended_as/);
    await expect(prisma.device.update({ where: { id }, data: { endedAs: 'gone', revokedAt: new Date() } })).rejects.toThrow(
      /device_ended_as/,
    );
  });
});

describe('facts', () => {
  it('are those of the last hello, written once for all that come together, and only where they changed', async () => {
    const device = await join(await newToken());
    const facts = {
      name: 'laptop',
      os: 'linux',
      osVersion: '7.0',
      arch: 'x64',
      agentVersion: '0.9.0',
      assurance: 'user',
      language: 'cordon/v1',
    };
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send({ ...hello(), facts });
    const known = async (): Promise<unknown> => (await test.admin<{ facts: unknown }>('GET', `/devices/${device.id}`)).body.facts;
    await expect.poll(known, { timeout: 10_000 }).toEqual(facts);
    const reasons = async (): Promise<string[]> =>
      (await test.admin<{ reasons: { code: string }[] }>('GET', `/devices/${device.id}/compliance`)).body.reasons.map(({ code }) => code);
    expect(await reasons()).toContain('compliance.assurance-user');
    const written = async (): Promise<unknown> =>
      (await test.plane.context.pool.query('SELECT xmin FROM device WHERE id = $1', [device.id])).rows;
    const before = await written();
    channel.close();
    const second = connect(test, device.id);
    await second.next('welcome');
    second.send({ ...hello(), facts });
    await second.next('state');
    await expect.poll(known).toEqual(facts);
    expect(await written()).toEqual(before);
    second.close();
  });
});

describe('a token of one use', () => {
  /** Once in the usual run; nightly, with its twenty thousand tries of each law, a hundred rounds. */
  const ROUNDS = LAW_RUNS >= 20_000 ? 100 : 1;
  /** As an endpoint does it: a server that is too busy is asked again, with the same key. */
  const untilAnswered = async (token: string, key: KeyPair): Promise<Awaited<ReturnType<typeof enrolDevice>>> => {
    const answer = await enrolDevice(test, token, key);
    return answer.status === 503 ? untilAnswered(token, key) : answer;
  };
  it(`makes one device of two hundred that come at once (${ROUNDS} times)`, { timeout: 30_000 + ROUNDS * 10_000 }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const token = await newToken({ maxUses: 1, name: randomBytes(4).toString('hex') });
      const answers = await Promise.all(Array.from({ length: 200 }, () => untilAnswered(token, newKey())));
      const made = answers.filter(({ status }) => status === 200);
      expect(made).toHaveLength(1);
      expect(new Set(answers.filter(({ status }) => status !== 200).map((answer) => JSON.stringify(refusal(answer))))).toEqual(
        new Set(['[403,"enroll.token-used"]']),
      );
      const id = parseToken(token).id;
      expect(await test.plane.context.prisma.device.count({ where: { enrollmentTokenId: id } })).toBe(1);
      expect((await test.plane.context.prisma.enrollmentToken.findUniqueOrThrow({ where: { id } })).uses).toBe(1);
    }
  });
});
