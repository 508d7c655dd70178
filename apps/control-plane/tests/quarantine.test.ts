/** Devices that get nothing until they are released: connected ones at once, others when they come, and no publish gives them anything meanwhile. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import { connect, enrol, hello, verify, type Enrolled, type TestChannel } from './_channel.ts';
import { POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
let group: string;
let policy: string;
beforeAll(async () => {
  test = await startPlane();
  const made = async (url: string, body: object): Promise<string> => (await test.admin<{ id: string }>('POST', url, { body })).body.id;
  // Its members are approved one by one: coming back must not need another approval.
  group = await made('/groups', { name: 'developers' });
  policy = await made('/policies', { yaml: POLICY });
  await made('/assignments', { policyId: policy, groupId: group });
});
afterAll(() => test.close());

interface Results {
  readonly results: readonly { readonly device: string; readonly done: boolean; readonly code: string | null }[];
}
const quarantine = (...devices: readonly string[]): Promise<Answer<Results>> =>
  test.admin('POST', '/devices/quarantine', { body: { devices, reason: 'odd traffic' } });
const release = (...devices: readonly string[]): Promise<Answer<Results>> => test.admin('POST', '/devices/release', { body: { devices } });
const publish = async (): Promise<void> => {
  expect((await test.admin('POST', '/publish', { body: { title: 'x' } })).status).toBe(201);
};
const member = async (): Promise<Enrolled> => {
  const device = await enrol(test);
  await test.admin('PUT', `/groups/${group}/members/${device.id}`);
  await publish();
  return device;
};
const policies = async (device: Enrolled, { next }: TestChannel): Promise<string[]> =>
  (await verify(test, device, await next('state'), await next('membership'))).content.policies.map(({ name }) => name);
const come = async (device: Enrolled): Promise<TestChannel> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  return channel;
};
const state = async (id: string): Promise<string[]> => {
  const { body } = await test.admin<{ state: string; reasons: { code: string }[] }>('GET', `/devices/${id}/compliance`);
  return [body.state, ...body.reasons.map(({ code }) => code)];
};

describe('a quarantined device', () => {
  it('loses every policy at once, is told why, and has them again when it is released, with no further approval', async () => {
    const device = await member();
    const channel = await come(device);
    expect(await policies(device, channel)).toEqual(['coding-agents']);
    expect((await quarantine(device.id)).body.results).toEqual([{ device: device.id, done: true, code: null }]);
    expect(await policies(device, channel)).toEqual([]);
    expect(await channel.next('problem')).toMatchObject({ code: 'device.quarantined' });
    const { body } = await test.admin('GET', `/devices/${device.id}`);
    expect(body).toMatchObject({ state: 'active', quarantine: { by: expect.any(String) as unknown, reason: 'odd traffic' } });
    expect((await release(device.id)).body.results).toEqual([{ device: device.id, done: true, code: null }]);
    expect(await policies(device, channel)).toEqual(['coding-agents']);
    channel.close();
    const { items } = (await test.admin<{ items: { action: string; detail: object }[] }>('GET', `/audit?subject=${device.id}&limit=2`))
      .body;
    expect(items).toMatchObject([{ action: 'device.release' }, { action: 'device.quarantine', detail: { reason: 'odd traffic' } }]);
  });

  it('that was away gets nothing when it comes, and neither a publish nor a renewal nor another group gives it anything', async () => {
    const device = await member();
    await quarantine(device.id);
    const other = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'more', membership: 'open' } })).body.id;
    await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: other } });
    await publish();
    await test.admin('PUT', `/groups/${other}/members/${device.id}`);
    await renewCheckpoint(test.plane.context, 0);
    const channel = await come(device);
    expect(await policies(device, channel)).toEqual([]);
    expect(await channel.next('problem')).toMatchObject({ code: 'device.quarantined' });
    channel.close();
    expect((await state(device.id)).slice(0, 1)).not.toEqual(['Compliant']);
    const { body } = await test.admin<{ items: { id: string }[] }>('GET', '/devices?filter=quarantined%20%3D%20true');
    expect(body.items.map(({ id }) => id)).toEqual([device.id]);
  });

  it('is not compliant, whatever it enforces', async () => {
    const device = await member();
    await quarantine(device.id);
    const channel = await come(device);
    const { leaf } = (await channel.next('state')).cohort;
    channel.send({ type: 'ack', epoch: 0, serial: leaf.serial, digest: leaf.digest, phase: 'enforced' });
    await expect.poll(() => state(device.id), { timeout: 20_000 }).toEqual(['NonCompliant', 'device.quarantined']);
    channel.close();
  });

  it('is one that there is; asked twice is done once, and each result stands by itself', async () => {
    const [one, gone] = [await enrol(test), await enrol(test)];
    await test.admin('POST', `/devices/${gone.id}/retire`);
    const asked = (): Promise<Answer<Results>> => quarantine(one.id, gone.id, 'dev_none');
    const results = [
      { device: one.id, done: true, code: null },
      { device: gone.id, done: false, code: 'device.ended' },
      { device: 'dev_none', done: false, code: 'device.not-found' },
    ];
    expect([(await asked()).body.results, (await asked()).body.results]).toEqual([results, results]);
    const { items } = (await test.admin<{ items: unknown[] }>('GET', `/audit?subject=${one.id}&action=device.quarantine`)).body;
    expect(items).toHaveLength(1);
    expect((await test.admin('POST', '/devices/quarantine', { body: { devices: [one.id] } })).status).toBe(400);
  });
});

describe('an agent', () => {
  it('is blocked for all devices by a policy that only takes away, which nobody needs to approve', async () => {
    const device = await member();
    const channel = await come(device);
    expect(await policies(device, channel)).toEqual(['coding-agents']);
    const yaml =
      'apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: no-codex }\nspec:\n  match: { agents: [codex] }\n  deny: { run: true }\n';
    const { id } = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml } })).body;
    await test.admin('POST', '/assignments', { body: { policyId: id, groupId: 'grp_all-devices-000000000' } });
    expect((await test.admin('POST', '/publish', { body: { title: 'no codex' }, alone: true })).status).toBe(201);
    expect((await policies(device, channel)).sort()).toEqual(['coding-agents', 'no-codex']);
    channel.close();
  });
});
