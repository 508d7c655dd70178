/** Orders of approvers to one device, through the real service: brought, pushed, answered; and what hellos give away of a device's state. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '@cordon/policy/trust/digest.ts';
import { signCompact, signGeneral } from '@cordon/policy/trust/envelope.ts';
import type { Integrity } from '@cordon/policy/protocol/orders.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { approverOf } from './_approver.ts';
import { connect, enrol, hello, type Enrolled, type TestChannel } from './_channel.ts';
import { newKey, startPlane, type TestPlane } from './_util.ts';

const HOUR = 3_600_000;
const BOOT = '11111111-2222-4333-8444-555555555555';
let test: TestPlane;
let approver: KeyPair;
beforeAll(async () => {
  test = await startPlane();
  approver = approverOf(test.stateDir);
});
afterAll(() => test?.close());

const integrity = (change: Partial<Integrity> = {}): Integrity => ({
  state: 'A'.repeat(22),
  counter: 1,
  first: 1,
  stored: true,
  accepted: { epoch: 0, serial: 0 },
  assurance: 'system',
  machineBoot: BOOT,
  after: 'nothing-before',
  ...change,
});
const greet = async (device: Enrolled, said?: Integrity): Promise<TestChannel> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send({ ...hello(), ...(said !== undefined && { integrity: said }) });
  return channel;
};
interface View {
  readonly finding: { readonly code: string; readonly detail: string } | null;
  readonly hellos: number;
  readonly machineBoot: string | null;
}
const view = async (device: Enrolled): Promise<View> => (await test.admin<View>('GET', `/devices/${device.id}/integrity`)).body;
/** Waits until the service has heard that hello. */
const heard = (device: Enrolled, counter: number): Promise<unknown> =>
  expect.poll(async () => (await view(device)).hellos, { timeout: 10_000 }).toBe(counter);

const common = (device: Enrolled, hours: number, change: object = {}): object => ({
  org: test.plane.context.organisation.orgId,
  device: device.id,
  epoch: 0,
  issuedAt: new Date().toISOString(),
  expiresAt: new Date(Date.now() + hours * HOUR).toISOString(),
  ...change,
});
const grant = (device: Enrolled, change: object = {}, keys: readonly KeyPair[] = [approver]): Promise<string> =>
  signGeneral({ format: 'cordon-maintenance/1', ...common(device, 2), boot: BOOT, ...change }, 'cordon-maintenance+jws', keys);
const retirement = (device: Enrolled, keys: readonly KeyPair[] = [approver]): Promise<string> =>
  signGeneral({ format: 'cordon-retirement/1', ...common(device, 24) }, 'cordon-retirement+jws', keys);

interface Order {
  readonly digest: string;
  readonly state: string;
  readonly code: string | null;
  readonly proof: string | null;
}
const bring = (device: Enrolled, order: string, text: string, token?: string) =>
  test.admin<Order & { code: string }>('POST', `/devices/${device.id}/orders`, { body: { order, text }, token });
const orders = async (device: Enrolled): Promise<readonly Order[]> =>
  (await test.admin<{ items: Order[] }>('GET', `/devices/${device.id}/orders`)).body.items;
const audited = async (device: Enrolled): Promise<string[]> =>
  (await test.admin<{ items: { action: string }[] }>('GET', `/audit?subject=${device.id}`)).body.items.map(({ action }) => action);

describe('a maintenance grant', () => {
  it('is pushed to the device as it was signed, answered, audited and shown', async () => {
    const device = await enrol(test);
    const channel = await greet(device, integrity());
    await heard(device, 1);
    const text = await grant(device);
    const brought = await bring(device, 'maintenance', text);
    expect([brought.status, brought.body]).toEqual([200, expect.objectContaining({ state: 'waiting', digest: sha256Hex(text) })]);
    expect(await channel.next('order')).toEqual({ type: 'order', order: 'maintenance', text });
    channel.send({ type: 'order.reply', digest: sha256Hex(text), accepted: true });
    await expect.poll(async () => (await orders(device)).map(({ state }) => state), { timeout: 10_000 }).toEqual(['accepted']);
    expect(await audited(device)).toEqual(expect.arrayContaining(['device.maintenance', 'device.maintenance-accepted']));
    // The same again is the same.
    expect((await bring(device, 'maintenance', text)).body).toMatchObject({ state: 'accepted' });
    channel.close();
  });

  it('waits for a device that is away, is sent until it is answered, and a refusal is kept with its code', async () => {
    const device = await enrol(test);
    const first = await greet(device, integrity());
    await heard(device, 1);
    first.close();
    await first.closed;
    const text = await grant(device);
    await bring(device, 'maintenance', text);
    const second = await greet(device, integrity({ counter: 2 }));
    expect((await second.next('order')).text).toBe(text);
    second.close();
    await second.closed;
    const third = await greet(device, integrity({ counter: 3 }));
    await third.next('order');
    third.send({ type: 'order.reply', digest: sha256Hex(text), accepted: false, code: 'maintenance.boot' });
    await expect
      .poll(async () => (await orders(device))[0], { timeout: 10_000 })
      .toMatchObject({ state: 'refused', code: 'maintenance.boot' });
    third.close();
  });

  it.each<readonly [what: string, code: string, change: object]>([
    ['of nine hours', 'maintenance.lifetime', { expiresAt: new Date(Date.now() + 9 * HOUR).toISOString() }],
    ['for another boot', 'maintenance.boot', { boot: '99999999-2222-4333-8444-555555555555' }],
    ['for another device', 'maintenance.device', { device: 'dev_someone' }],
    ['of another epoch', 'maintenance.epoch', { epoch: 1 }],
    ['that is over', 'maintenance.expired', { issuedAt: new Date(0).toISOString(), expiresAt: new Date(HOUR).toISOString() }],
  ])('%s is refused here already', async (_what, code, change) => {
    const device = await enrol(test);
    const channel = await greet(device, integrity());
    await heard(device, 1);
    const { status, body } = await bring(device, 'maintenance', await grant(device, change));
    expect([status, body.code, await orders(device)]).toEqual([400, code, []]);
    channel.close();
  });

  it('that nobody with an approver key signed is refused, and needs the right to change devices', async () => {
    const device = await enrol(test);
    const channel = await greet(device, integrity());
    await heard(device, 1);
    expect((await bring(device, 'maintenance', await grant(device, {}, [newKey()]))).body.code).toBe('maintenance.threshold');
    expect((await bring(device, 'retirement', await grant(device))).body.code).toBe('jws.typ');
    const auditor = await test.tokenOf('auditor');
    expect((await bring(device, 'maintenance', await grant(device), auditor)).status).toBe(403);
    channel.close();
  });
});

describe('a retirement', () => {
  const retire = async (sign: (device: Enrolled, key: KeyPair, text: string) => Promise<string>) => {
    const key = newKey();
    const device = await enrol(test, undefined, key);
    const channel = await greet(device, integrity());
    await heard(device, 1);
    const text = await retirement(device);
    expect((await bring(device, 'retirement', text)).status).toBe(200);
    await channel.next('order');
    const proof = await sign(device, key, text);
    channel.send({ type: 'order.reply', digest: sha256Hex(text), accepted: true, proof });
    return { device, channel, proof };
  };
  const lastWord = (device: Enrolled, key: KeyPair, text: string): Promise<string> =>
    signCompact(
      {
        format: 'cordon-retired/1',
        org: test.plane.context.organisation.orgId,
        device: device.id,
        retirement: sha256Hex(text),
        at: new Date().toISOString(),
      },
      'cordon-retired+jws',
      key,
    );

  it('is proved by the device, and then its record ends too', async () => {
    const { device, channel, proof } = await retire(lastWord);
    expect((await channel.closed).code).toBe(4401);
    await expect.poll(async () => (await orders(device))[0], { timeout: 10_000 }).toMatchObject({ state: 'accepted', proof });
    await expect
      .poll(async () => await audited(device), { timeout: 10_000 })
      .toEqual(expect.arrayContaining(['device.retirement', 'device.retirement-accepted', 'device.retire']));
    expect((await test.admin<{ state: string }>('GET', `/devices/${device.id}`)).body.state).toBe('retired');
    expect((await bring(device, 'retirement', await retirement(device))).status).toBe(409);
  });

  it.each<readonly [what: string, sign: (device: Enrolled, key: KeyPair, text: string) => Promise<string>, code: string]>([
    ['another key', (device, _key, text) => lastWord(device, newKey(), text), 'jws.key'],
    ['words about another retirement', (device, key) => lastWord(device, key, 'another text'), 'retired.other'],
    ['no proof at all', () => Promise.resolve(''), 'jws.encoding'],
  ])('is not believed by %s: the record stays', async (_what, sign, code) => {
    const { device, channel } = await retire(sign);
    await expect.poll(async () => (await orders(device))[0], { timeout: 10_000 }).toMatchObject({ state: 'refused', code });
    expect((await test.admin<{ state: string }>('GET', `/devices/${device.id}`)).body.state).toBe('active');
    channel.close();
  });

  it('is no business of another device', async () => {
    const [one, two] = [await enrol(test), await enrol(test)];
    const [first, second] = [await greet(one, integrity()), await greet(two, integrity())];
    await heard(one, 1);
    await heard(two, 1);
    const text = await retirement(one);
    await bring(one, 'retirement', text);
    await first.next('order');
    second.send({ type: 'order.reply', digest: sha256Hex(text), accepted: true, proof: 'x' });
    second.send({ type: 'order.reply', digest: 'a'.repeat(64), accepted: true });
    first.send({ type: 'order.reply', digest: sha256Hex(text), accepted: false, code: 'retirement.epoch' });
    await expect
      .poll(async () => (await orders(one))[0], { timeout: 10_000 })
      .toMatchObject({ state: 'refused', code: 'retirement.epoch' });
    expect([second.waiting.filter(({ type }) => type === 'order'), await orders(two)]).toEqual([[], []]);
    [first, second].forEach((channel) => channel.close());
  });
});

describe('what hellos give away', () => {
  const say = async (device: Enrolled, said: Integrity | undefined, before?: object): Promise<void> => {
    const channel = await greet(device, said);
    if (before !== undefined) channel.send(before);
    if (said === undefined) await expect.poll(async () => (await view(device)).finding, { timeout: 10_000 }).not.toBeNull();
    else await heard(device, said.counter);
    channel.close();
    await channel.closed;
  };
  const compliance = async (device: Enrolled): Promise<readonly string[]> =>
    (await test.admin<{ reasons: { code: string }[] }>('GET', `/devices/${device.id}/compliance`)).body.reasons.map(({ code }) => code);

  it.each<readonly [what: string, code: string | undefined, later: Integrity | undefined]>([
    ['that goes on', undefined, integrity({ counter: 6, accepted: { epoch: 0, serial: 9 }, after: 'reboot' })],
    ['with another name', 'device.state-lost', integrity({ state: 'B'.repeat(22), counter: 1 })],
    ['with an old number', 'device.state-restored', integrity({ counter: 4, accepted: { epoch: 0, serial: 9 } })],
    ['with an old serial', 'device.state-restored', integrity({ counter: 6, accepted: { epoch: 0, serial: 5 } })],
    ['after a stop', 'device.daemon-stopped', integrity({ counter: 6, first: 6, accepted: { epoch: 0, serial: 9 }, after: 'stop' })],
    ['of nothing at all', 'device.state-lost', undefined],
  ])('a state %s: %s', async (_what, code, later) => {
    const device = await enrol(test);
    await say(device, integrity({ counter: 5, accepted: { epoch: 0, serial: 9 } }));
    expect((await view(device)).finding).toBeNull();
    await say(device, later);
    expect((await view(device)).finding?.code).toBe(code);
    expect((await compliance(device)).filter((reason) => reason.startsWith('device.'))).toEqual(code === undefined ? [] : [code]);
    expect((await audited(device)).filter((action) => action === code)).toHaveLength(code === undefined ? 0 : 1);
  });

  it('is held against what was acknowledged since the last hello, although this one says less', async () => {
    const device = await enrol(test);
    const digest = 'a'.repeat(64);
    await say(device, integrity({ counter: 5, accepted: { epoch: 0, serial: 3 } }), {
      type: 'ack',
      epoch: 0,
      serial: 9,
      digest,
      phase: 'enforced',
    });
    const acknowledged = async (): Promise<number | null> =>
      (await test.admin<{ enforced: { serial: number | null } }>('GET', `/devices/${device.id}/compliance`)).body.enforced.serial;
    await expect.poll(acknowledged, { timeout: 10_000 }).toBe(9);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    const enforcing = { epoch: 0, serial: 4, digest, cohort: 'coh_x' };
    channel.send({ ...hello(enforcing), integrity: integrity({ counter: 6, accepted: { epoch: 0, serial: 4 } }) });
    await expect.poll(async () => (await view(device)).finding?.code, { timeout: 10_000 }).toBe('device.state-restored');
    channel.close();
  });

  it('stands until somebody dismisses it, which is audited', async () => {
    const device = await enrol(test);
    await say(device, integrity({ counter: 5 }));
    await say(device, integrity({ counter: 2 }));
    await say(device, integrity({ counter: 3, first: 3, after: 'stop' }));
    expect((await view(device)).finding?.code).toBe('device.state-restored');
    const dismiss = () => test.admin('POST', `/devices/${device.id}/integrity/dismiss`);
    expect((await dismiss()).body).toEqual({ dismissed: true });
    expect((await dismiss()).body).toEqual({ dismissed: false });
    expect((await view(device)).finding).toBeNull();
    expect(await audited(device)).toContain('device.finding-dismiss');
  });

  it('counts the weaker assurance', async () => {
    const device = await enrol(test);
    await say(device, integrity({ assurance: 'user' }));
    expect((await test.admin<{ assurance: string }>('GET', `/devices/${device.id}/compliance`)).body.assurance).toBe('user');
    expect(await compliance(device)).toContain('compliance.assurance-user');
  });

  it('is not there for a device that has not said anything', async () => {
    const device = await enrol(test);
    expect((await test.admin('GET', `/devices/${device.id}/integrity`)).status).toBe(404);
  });
});
