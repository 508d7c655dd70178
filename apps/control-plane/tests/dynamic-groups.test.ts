/** Groups whose members a rule chooses: who is in, who comes and goes, and what devices get by it. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '@cordon/policy/_laws.ts';
import { evaluate } from '@cordon/policy/filter/evaluate.ts';
import type { Problem } from '../src/errors.ts';
import { refreshMembers } from '../src/groups/dynamic.ts';
import { parseRule, RULE_FIELDS } from '../src/groups/rule.ts';
import { connect, hello, verify, type Enrolled, type TestChannel } from './_channel.ts';
import { enrolDevice, newKey, POLICY, someFacts, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
let now = new Date();
beforeAll(async () => {
  test = await startPlane({ clock: () => new Date(now) });
});
afterAll(() => test.close());

interface Group {
  readonly id: string;
  readonly kind: string;
  readonly membership: string;
  readonly rule: string | null;
  readonly members: number;
}
const make = <T = { id: string }>(url: string, body: object): Promise<Answer<T & Problem>> => test.admin('POST', url, { body });
const group = async (rule: string, more: object = {}): Promise<Group> => {
  const { status, body } = await make<Group>('/groups', { name: randomUUID(), rule, ...more });
  expect(status, body.detail).toBe(201);
  return body;
};
const change = (id: string, body: object): Promise<Answer<Group & Problem>> =>
  test.admin('PATCH', `/groups/${id}`, { body, headers: { 'if-match': '*' } });
const enrol = async (name: string, facts: object = {}): Promise<Enrolled> => {
  const { token } = (await make<{ token: string }>('/enrollment-tokens', { name: 'x' })).body;
  const { status, body } = await enrolDevice(test, token, newKey(), { facts: { ...someFacts(name), ...facts } });
  expect(status).toBe(200);
  return { id: body.device, memberIndex: body.memberIndex };
};
const members = async ({ id }: Pick<Group, 'id'>): Promise<string[]> =>
  (await test.plane.context.prisma.groupMember.findMany({ where: { groupId: id }, orderBy: { deviceId: 'asc' } })).map(
    ({ deviceId }) => deviceId,
  );
const refusal = ({ status, body }: Answer<Problem>): [number, string] => [status, body.code];

describe('a group with a rule', () => {
  it('has who is there when it is made, and who comes later, by what is known of them', async () => {
    const before = await enrol('rack-1', { arch: 'arm64' });
    await enrol('desk');
    const robots = await group('arch = arm64 and name startsWith rack');
    expect(robots).toMatchObject({ kind: 'dynamic', membership: 'open', rule: 'arch = arm64 and name startsWith rack', members: 1 });
    const after = await enrol('Rack-2', { arch: 'arm64' });
    expect(await members(robots)).toEqual([before.id, after.id].sort());
    // Another name here is another name to the rule, and another rule counts at once.
    await test.admin('PATCH', `/devices/${after.id}`, { body: { name: 'lab' }, headers: { 'if-match': '*' } });
    expect(await members(robots)).toEqual([before.id]);
    expect((await change(robots.id, { rule: 'arch = arm64' })).body).toMatchObject({ members: 2, rule: 'arch = arm64' });
    // Whoever has ended is in no such group.
    await test.admin('POST', `/devices/${before.id}/revoke`);
    await refreshMembers(test.plane.context);
    expect(await members(robots)).toEqual([after.id]);
    const { items } = (await test.admin<{ items: { detail: object }[] }>('GET', `/audit?subject=${robots.id}&action=group.follow-rule`))
      .body;
    expect(items.map(({ detail }) => detail)).toMatchObject([
      { joined: 0, left: 1, devices: [before.id] },
      { joined: 1, left: 0, devices: [after.id] },
      { joined: 0, left: 1 },
      { joined: 1, left: 0 },
      { joined: 1, left: 0 },
    ]);
  });

  it('gives a device its policies within one look when what it says of itself changes', async () => {
    const old = await group('agentVersion < 7 and agentVersion >= 6');
    const policy = (await make('/policies', { yaml: POLICY.replace('coding-agents', 'for-old-agents') })).body.id;
    expect((await make('/assignments', { policyId: policy, groupId: old.id })).status).toBe(201);
    expect((await make('/publish', { title: 'old agents' })).status).toBe(201);
    const device = await enrol('updating');
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    const names = async ({ next }: TestChannel): Promise<string[]> =>
      (await verify(test, device, await next('state'), await next('membership'))).content.policies.map(({ name }) => name);
    expect(await names(channel)).toEqual([]);
    channel.close();
    const again = connect(test, device.id);
    await again.next('welcome');
    again.send({ ...hello(), facts: { ...someFacts('updating'), agentVersion: '6.2.0' } });
    expect(await names(again)).toEqual([]);
    expect(await names(again)).toEqual(['for-old-agents']);
    expect(await members(old)).toEqual([device.id]);
    again.close();
  });

  it('follows the clock where its rule does, and leaves who was never heard where it is', async () => {
    const [heard, silent] = [await enrol('heard'), await enrol('silent')];
    await test.plane.context.prisma.device.update({ where: { id: heard.id }, data: { lastSeenAt: now } });
    const away = await group('lastSeen < now-7d');
    expect(await members(away)).toEqual([]);
    now = new Date(now.getTime() + 8 * 86_400_000);
    await refreshMembers(test.plane.context, { moving: true });
    expect(await members(away)).toEqual([heard.id]);
    await test.plane.context.prisma.device.update({ where: { id: heard.id }, data: { lastSeenAt: null } });
    await refreshMembers(test.plane.context, { moving: true });
    expect(await members(away)).toEqual([heard.id]);
    expect(await members(away)).not.toContain(silent.id);
  });

  it('shows before it is saved how many it would have, and some of them', async () => {
    const one = await enrol('preview-1');
    const { status, body } = await test.admin('POST', '/groups/preview', { body: { rule: 'name  startsWith "preview-"' } });
    expect([status, body]).toEqual([
      200,
      { rule: 'name startsWith preview-', devices: 1, of: expect.any(Number) as unknown, sample: [{ id: one.id, name: 'preview-1' }] },
    ]);
  });

  it('that would have everyone asks first', async () => {
    await enrol('anybody');
    const refused = await make('/groups', { name: 'everyone', rule: 'os = linux' });
    expect([...refusal(refused), /matches all \d+ devices/.test(refused.body.detail)]).toEqual([409, 'group.matches-everything', true]);
    const meant = await group('os = linux', { confirm: 'everything' });
    expect(refusal(await change(meant.id, { rule: 'os in (linux, macos)' }))).toEqual([409, 'group.matches-everything']);
    expect((await change(meant.id, { rule: 'os in (linux, macos)', confirm: 'everything' })).status).toBe(200);
  });

  it('is open, is not filled by hand, is named by no token, and does not become another kind', async () => {
    const device = await enrol('by-hand');
    const ruled = await group('name = nobody');
    expect(refusal(await make('/groups', { name: 'x', rule: 'name = a', membership: 'listed' }))).toEqual([400, 'group.rule-open']);
    expect(refusal(await change(ruled.id, { membership: 'listed' }))).toEqual([400, 'group.rule-open']);
    for (const method of ['PUT', 'DELETE'])
      expect(refusal(await test.admin<Problem>(method, `/groups/${ruled.id}/members/${device.id}`))).toEqual([409, 'group.dynamic']);
    expect(refusal(await make('/enrollment-tokens', { name: 'x', groupId: ruled.id }))).toEqual([409, 'group.dynamic']);
    const listed = (await make('/groups', { name: 'by hand' })).body;
    expect(refusal(await change(listed.id, { rule: 'name = a' }))).toEqual([409, 'group.static']);
    expect((await test.admin('DELETE', `/groups/${ruled.id}`)).status).toBe(204);
  });

  it.each([
    ['name = ', 'filter.syntax', 'column 7'],
    ['compliance = Compliant', 'filter.field', 'column 1'],
    ['group contains x', 'filter.field', 'column 1'],
    ['os = linus', 'filter.value', 'column 6'],
  ])('%s is refused at its column, and nothing is kept', async (rule, code, column) => {
    const answer = await make('/groups', { name: 'refused', rule });
    expect([...refusal(answer), answer.body.detail.startsWith(column)]).toEqual([400, code, true]);
    expect(await test.plane.context.prisma.group.count({ where: { name: 'refused' } })).toBe(0);
  });
});

describe('membership', () => {
  it(
    'is what the pure function says after any history of facts and rules',
    async () => {
      const { context } = test.plane;
      const devices = [await enrol('m-1'), await enrol('m-2'), await enrol('m-3')].map(({ id }) => id);
      const rules = [
        'agentVersion >= 1.5',
        'arch in (x64, "risc v")',
        'not osVersion > 6',
        'osVersion is unknown or arch = arm64',
        'lastSeen > now-1d',
      ];
      const facts = fc.record({
        arch: fc.constantFrom('x64', 'arm64', 'risc v'),
        osVersion: fc.constantFrom('6.1', 'rolling', '7'),
        agentVersion: fc.constantFrom('1.4', '1.50', 'dev'),
      });
      const step = fc.oneof(
        fc.record({ device: fc.constantFrom(...devices), facts, seen: fc.option(fc.integer({ min: -3, max: 0 })) }),
        fc.record({ rule: fc.constantFrom(...rules) }),
      );
      const { id } = await group('name = nobody');
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
          let [rule, expected] = ['name = nobody', new Set<string>()];
          await change(id, { rule });
          for (const one of steps) {
            if ('rule' in one) {
              ({ rule } = one);
              expect((await change(id, { rule, confirm: 'everything' })).status).toBe(200);
            } else {
              const lastSeenAt = one.seen === null ? null : new Date(now.getTime() + one.seen * 86_400_000);
              await context.prisma.device.update({
                where: { id: one.device },
                data: { facts: { ...someFacts('m'), ...one.facts }, lastSeenAt },
              });
              await refreshMembers(context, { devices: [one.device] });
            }
            const looked = 'rule' in one ? devices : [one.device];
            for (const row of await context.prisma.device.findMany({ where: { id: { in: looked } } })) {
              const known = { ...(row.facts as Record<string, string>), name: row.name, lastSeen: row.lastSeenAt?.getTime() };
              const verdict = evaluate(parseRule(rule), known, RULE_FIELDS, now.getTime());
              if (verdict === true) expected = new Set([...expected, row.id]);
              if (verdict === false) expected = new Set([...expected].filter((other) => other !== row.id));
            }
            expect((await members({ id })).filter((device) => devices.includes(device))).toEqual([...expected].sort());
          }
        }),
        { numRuns: Math.ceil(LAW_RUNS / 10) },
      );
    },
    LAW_TIMEOUT_MS,
  );
});
