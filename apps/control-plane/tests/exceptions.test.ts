/** Exceptions over the public API: drafted, approved, published, on the device with their end, and gone by time or by hand. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ruleTexts } from '@cordon/policy/document/rule-texts.ts';
import type { Exception } from '@cordon/policy/document/exception.ts';
import { parsePolicy } from '@cordon/policy/document/parse.ts';
import type { Problem } from '../src/errors.ts';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import { connect, enrol, hello, verify, type Enrolled, type TestChannel } from './_channel.ts';
import { POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

const EVERYONE = 'grp_all-devices-000000000';
const YAML = `${POLICY.replace('{ host: api.example.com }', '{ host: api.example.com }, { host: www.paste.example }')}  deny:\n    network: { hosts: [{ host: "*.paste.example" }] }\n`;

let test: TestPlane;
/** Added to the service's clock; the signer has its own. */
let shift: number;
let policy: string;
beforeAll(async () => {
  shift = 0;
  test = await startPlane({ clock: () => new Date(Date.now() + shift) });
  policy = (await make<{ id: string }>('/policies', { yaml: YAML })).body.id;
  await make('/assignments', { policyId: policy, groupId: EVERYONE });
  await publish();
});
/** Each story has the draft for itself. */
beforeEach(async () => {
  const { items } = (await test.admin<{ items: View[] }>('GET', '/exceptions')).body;
  for (const { id, state } of items) if (state === 'draft' || state === 'in-force') await make(`/exceptions/${id}/end`, {});
  await publish();
});
afterAll(() => test.close());

interface View {
  readonly id: string;
  readonly state: string;
  readonly rule: string | null;
  readonly device: { readonly id: string; readonly name: string } | null;
  readonly endedBy: string | null;
}
const make = <T = View>(url: string, body: object, alone = false): Promise<Answer<T & Problem>> => test.admin('POST', url, { body, alone });
const publish = async (): Promise<void> => {
  const { status, body } = await make('/publish', { title: 'x' });
  expect(status, body.detail).toBe(201);
};
const allow = (host: string): object => ({ kind: 'allow', allow: { network: { hosts: [{ host }] } } });
const draft = async (body: object): Promise<View> => {
  const answer = await make('/exceptions', { name: 'release', reason: 'ticket 7', until: '8h', ...body });
  expect(answer.status, answer.body.detail).toBe(201);
  return answer.body;
};
const view = async (id: string): Promise<View> => (await test.admin<View>('GET', `/exceptions/${id}`)).body;
const come = async (device: Enrolled): Promise<TestChannel> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello());
  return channel;
};
/** What the next state that it verifies gives. */
const exceptions = async (device: Enrolled, { next }: TestChannel): Promise<readonly Exception[]> =>
  (await verify(test, device, await next('state'), await next('membership'))).content.exceptions;
const refusal = ({ status, body }: Answer<Problem>): [number, string] => [status, body.code];

describe('an exception', () => {
  it('needs people, is for the device that it names, reaches it at once, and ends by hand at once', async () => {
    const [one, other] = [await enrol(test), await enrol(test)];
    const [channel, beside] = [await come(one), await come(other)];
    expect([await exceptions(one, channel), await exceptions(other, beside)]).toEqual([[], []]);
    const made = await draft({ deviceId: one.id, change: allow('b.example.com') });
    expect(made).toMatchObject({ state: 'draft', device: { id: one.id, name: 'laptop' } });
    // Nobody approved it.
    expect(refusal(await make('/publish', { title: 'x' }, true))).toEqual([409, 'publish.approval-required']);
    await publish();
    const [got] = await exceptions(one, channel);
    expect(got).toMatchObject({
      id: made.id,
      name: 'release',
      change: allow('b.example.com'),
      because: [{ group: one.id, groupName: 'laptop' }],
    });
    expect(Date.parse(got?.expiresAt ?? '') - Date.now()).toBeGreaterThan(7 * 3_600_000);
    expect((await view(made.id)).state).toBe('in-force');
    expect(beside.waiting.filter(({ type }) => type === 'membership')).toEqual([]);
    // Ending it takes away: nobody needs to approve that, nor to publish.
    expect((await make(`/exceptions/${made.id}/end`, {})).body).toMatchObject({ state: 'ended' });
    expect(await exceptions(one, channel)).toEqual([]);
    await publish();
    for (const open of [channel, beside]) open.close();
    const { items } = (await test.admin<{ items: { action: string; detail: object }[] }>('GET', `/audit?subject=${made.id}`)).body;
    expect(items).toMatchObject([
      { action: 'exception.end' },
      { action: 'exception.create', detail: { reason: 'ticket 7', target: one.id } },
    ]);
  });

  it('is gone from the devices soon after its time, without anybody', async () => {
    const device = await enrol(test);
    const made = await draft({ groupId: EVERYONE, change: allow('b.example.com'), until: '5m' });
    await publish();
    const channel = await come(device);
    expect((await exceptions(device, channel)).map(({ id }) => id)).toEqual([made.id]);
    shift = 6 * 60_000;
    await renewCheckpoint(test.plane.context, 0);
    expect(await exceptions(device, channel)).toEqual([]);
    expect((await view(made.id)).state).toBe('expired');
    channel.close();
  });

  it('suspends one rule of one revision, and says which', async () => {
    const rules = ruleTexts(policy, parsePolicy(YAML).document);
    const [denial] = [...rules].find(([, { kind }]) => kind === 'deny') ?? [];
    const suspend = (rule = denial, revision = 1): object => ({ kind: 'suspend', policy, revision, rule });
    const made = await draft({ groupId: EVERYONE, change: suspend() });
    expect(made.rule).toBe('deny network.hosts {"host":"*.paste.example"}');
    const [allowed] = [...rules].find(([, { kind }]) => kind === 'allow') ?? [];
    for (const rule of [allowed, 'r_000000000000']) {
      const answer = await make('/exceptions', { name: 'x', reason: 'x', until: '8h', groupId: EVERYONE, change: suspend(rule) });
      expect([...refusal(answer), answer.body.detail.includes(`${denial} (deny network.hosts`)]).toEqual([400, 'exception.rule', true]);
    }
    expect(
      refusal(await make('/exceptions', { name: 'x', reason: 'x', until: '8h', groupId: EVERYONE, change: suspend(denial, 9) })),
    ).toEqual([404, 'policy.not-found']);
    const proposal = await make<{ changes: { verdict: string; example: { gained: { target: string }[] } }[]; devices: number }>(
      '/proposals',
      { title: 'x' },
      true,
    );
    expect(proposal.body.changes[0]?.verdict).toBe('no');
  });

  it('shows its approvers who would gain what', async () => {
    const device = await enrol(test);
    await draft({ deviceId: device.id, change: allow('b.example.com') });
    const { body } = await make<{ devices: number; names: { groups: object }; changes: object[] }>('/proposals', { title: 'x' }, true);
    expect(body.devices).toBe(1);
    expect(body.names.groups).toMatchObject({ [device.id]: 'laptop' });
    expect(body.changes).toMatchObject([
      {
        audiences: [{ listed: { before: [], after: [device.id] }, devices: 1 }],
        verdict: 'no',
        example: { gained: [{ target: 'b.example.com:443' }], lost: [] },
      },
    ]);
  });

  it.each<readonly [what: string, body: object, status: number, code: string]>([
    ['for nobody', { change: allow('b.example.com') }, 400, 'exception.target'],
    ['for both', { change: allow('b.example.com'), groupId: EVERYONE, deviceId: 'dev_x' }, 400, 'exception.target'],
    ['for a device that is none', { change: allow('b.example.com'), deviceId: 'dev_none' }, 404, 'device.not-found'],
    ['for a group that is a device', { change: allow('b.example.com'), groupId: 'dev_none' }, 404, 'group.not-found'],
    ['without an end in sight', { change: allow('b.example.com'), groupId: EVERYONE, until: '31d' }, 400, 'exception.expiry'],
    ['that is over', { change: allow('b.example.com'), groupId: EVERYONE, until: '2020-01-01T00:00:00.000Z' }, 400, 'exception.expiry'],
    ['until never', { change: allow('b.example.com'), groupId: EVERYONE, until: 'never' }, 400, 'exception.expiry'],
    ['for a host that is none', { change: allow('b_.example..com'), groupId: EVERYONE }, 400, 'host.invalid'],
    [
      'that names what is never granted',
      { change: { kind: 'allow', allow: { filesystem: { read: ['${home}/.ssh'] } } }, groupId: EVERYONE },
      400,
      'path.never-granted',
    ],
  ])('%s is refused, and nothing is kept', async (_what, body, status, code) => {
    const answer = await make('/exceptions', { name: 'x', reason: 'x', until: '8h', ...body });
    expect(refusal(answer), answer.body.detail).toEqual([status, code]);
    const { items } = (await test.admin<{ items: View[] }>('GET', '/exceptions')).body;
    expect(items.filter(({ state }) => state === 'draft')).toEqual([]);
  });

  it('keeps its group, and is listed with those of the same target', async () => {
    const { id } = (await make<{ id: string }>('/groups', { name: 'g', membership: 'open' })).body;
    const made = await draft({ groupId: id, change: allow('b.example.com') });
    await draft({ groupId: EVERYONE, change: allow('c.example.com') });
    expect(refusal(await test.admin<Problem>('DELETE', `/groups/${id}`))).toEqual([409, 'group.in-use']);
    const { items } = (await test.admin<{ items: View[] }>('GET', `/exceptions?target=${id}`)).body;
    expect(items.map((one) => one.id)).toEqual([made.id]);
    await make(`/exceptions/${made.id}/end`, {});
    expect((await test.admin('DELETE', `/groups/${id}`)).status).toBe(204);
  });
});
