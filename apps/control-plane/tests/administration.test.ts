import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dropSuperseded } from '../src/jobs/retention.ts';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import { ackOf, connect, enrol, hello, verify } from './_channel.ts';
import { POLICY, startPlane, type Answer, type TestPlane } from './_util.ts';

let test: TestPlane;
let now = new Date();
beforeAll(async () => {
  test = await startPlane({ clock: () => new Date(now) });
});
afterAll(() => test.close());

interface Problem {
  readonly code: string;
  readonly detail: string;
}
const refusal = ({ status, body }: Answer<Problem>): [number, string] => [status, body.code];
const make = async (url: string, body: object): Promise<string> => {
  const answer = await test.admin<{ id: string }>('POST', url, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.id;
};
const policyNamed = (name: string, host = 'api.example.com'): string =>
  POLICY.replace('coding-agents', name).replace('api.example.com', host);
const publish = (title = 'x'): Promise<Answer<{ changeSet: string; serial: number } & Problem>> =>
  test.admin('POST', '/publish', { body: { title } });
const actionsOn = async (subject: string): Promise<string[]> =>
  (await test.admin<{ items: { action: string }[] }>('GET', `/audit?subject=${subject}`)).body.items.map(({ action }) => action);

describe('a group', () => {
  it('goes only when nothing uses it: no assignment, nothing in force, no token', async () => {
    const group = await make('/groups', { name: 'leaving', membership: 'open' });
    const policy = await make('/policies', { yaml: policyNamed('for-leaving') });
    const device = await enrol(test, group);
    const assignment = await make('/assignments', { policyId: policy, groupId: group });
    const remove = (etag?: string): Promise<Answer<Problem>> =>
      test.admin('DELETE', `/groups/${group}`, etag === undefined ? {} : { headers: { 'if-match': etag } });
    expect(refusal(await remove())).toEqual([409, 'group.in-use']);
    await publish();
    await test.admin('DELETE', `/assignments/${assignment}`);
    // The draft does not name it any more, but devices still have the policy through it.
    expect(refusal(await remove())).toEqual([409, 'group.in-use']);
    await publish();
    const token = await make('/enrollment-tokens', { name: 'x', groupId: group });
    const inUse = await remove();
    expect([...refusal(inUse), inUse.body.detail.includes('revoke')]).toEqual([409, 'group.in-use', true]);
    await test.admin('DELETE', `/enrollment-tokens/${token}`);
    expect(refusal(await remove('"9"'))).toEqual([412, 'request.stale']);
    expect((await remove('"1"')).status).toBe(204);
    expect(refusal(await remove())).toEqual([404, 'group.not-found']);
    const { groups } = (await test.admin<{ groups: unknown[] }>('GET', `/devices/${device.id}`)).body;
    expect(groups).toEqual([]);
    expect(await actionsOn(group)).toEqual(['group.delete', 'group.create']);
  });

  it('of all devices neither goes nor changes', async () => {
    const all = 'grp_all-devices-000000000';
    expect(refusal(await test.admin<Problem>('DELETE', `/groups/${all}`))).toEqual([409, 'group.built-in']);
    expect(refusal(await test.admin<Problem>('PATCH', `/groups/${all}`, { body: { name: 'x' }, headers: { 'if-match': '*' } }))).toEqual([
      409,
      'group.built-in',
    ]);
  });
});

describe('a device', () => {
  it('is renamed with the ETag of what was seen, and goes on saying its own name in its facts', async () => {
    const { id } = await enrol(test);
    const seen = await test.admin<{ name: string }>('GET', `/devices/${id}`);
    const rename = (etag?: string): Promise<Answer<{ name: string; version: number; facts: { name: string } } & Problem>> =>
      test.admin('PATCH', `/devices/${id}`, { body: { name: 'Front desk' }, ...(etag !== undefined && { headers: { 'if-match': etag } }) });
    expect(refusal(await rename())).toEqual([428, 'request.if-match-required']);
    const renamed = await rename(String(seen.headers['etag']));
    expect([renamed.status, renamed.body.name, renamed.body.version, renamed.body.facts.name]).toEqual([200, 'Front desk', 2, 'laptop']);
    expect(refusal(await rename('"1"'))).toEqual([412, 'request.stale']);
    expect(refusal(await test.admin<Problem>('PATCH', '/devices/dev_none', { body: { name: 'x' }, headers: { 'if-match': '*' } }))).toEqual(
      [404, 'device.not-found'],
    );
    expect(await actionsOn(id)).toEqual(['device.rename', 'device.enroll']);
    expect(
      (await test.admin<{ items: { id: string }[] }>('GET', '/devices?filter=name%20startsWith%20Front')).body.items.map((one) => one.id),
    ).toEqual([id]);
  });

  it('that moves to a policy which is older than it has its minute of grace from the move on', async () => {
    const [from, to] = [
      await make('/groups', { name: 'from', membership: 'open' }),
      await make('/groups', { name: 'to', membership: 'open' }),
    ];
    for (const [i, group] of [from, to].entries())
      await make('/assignments', { policyId: await make('/policies', { yaml: policyNamed(`grace-${i}`) }), groupId: group });
    await enrol(test, to);
    const device = await enrol(test, from);
    await publish('long ago');
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    channel.send(ackOf(await verify(test, device, await channel.next('state'), await channel.next('membership'))));
    const stateOf = async (): Promise<string> =>
      (await test.admin<{ state: string }>('GET', `/devices/${device.id}/compliance`)).body.state;
    await expect.poll(stateOf, { timeout: 10_000 }).toBe('Compliant');
    const today = now;
    now = new Date(now.getTime() + 10 * 60_000);
    await test.admin('DELETE', `/groups/${from}/members/${device.id}`);
    await test.admin('PUT', `/groups/${to}/members/${device.id}`);
    expect(await stateOf()).toBe('InGrace');
    now = new Date(now.getTime() + 61_000);
    expect(await stateOf()).toBe('NonCompliant');
    // The signer has a clock of its own.
    now = today;
    channel.close();
  });
});

describe('a policy', () => {
  it('is archived when nothing uses it, cannot be assigned then, and comes back with its next revision', async () => {
    const policy = await make('/policies', { yaml: policyNamed('retiring') });
    const group = await make('/groups', { name: 'retirement', membership: 'open' });
    const assignment = await make('/assignments', { policyId: policy, groupId: group });
    const archive = (): Promise<Answer<Problem>> => test.admin('DELETE', `/policies/${policy}`);
    expect(refusal(await archive())).toEqual([409, 'policy.in-use']);
    await publish();
    await test.admin('DELETE', `/assignments/${assignment}`);
    expect(refusal(await archive())).toEqual([409, 'policy.in-use']);
    await publish();
    expect((await archive()).status).toBe(204);
    expect((await archive()).status).toBe(204);
    const listed = (await test.admin<{ items: { id: string }[] }>('GET', '/policies?limit=500')).body.items;
    expect(listed.some(({ id }) => id === policy)).toBe(false);
    expect((await test.admin<{ archivedAt: string | null }>('GET', `/policies/${policy}`)).body.archivedAt).not.toBeNull();
    expect(refusal(await test.admin<Problem>('POST', '/assignments', { body: { policyId: policy, groupId: group } }))).toEqual([
      409,
      'policy.archived',
    ]);
    // Its name stays its own, and who meets it is told where.
    const taken = await test.admin<Problem>('POST', '/policies', { body: { yaml: policyNamed('retiring') } });
    expect([...refusal(taken), taken.body.detail.includes(`${policy}, archived`)]).toEqual([409, 'policy.exists', true]);
    const back = await test.admin<{ revision: number }>('POST', `/policies/${policy}/revisions`, {
      body: { yaml: policyNamed('retiring') },
    });
    expect([back.status, back.body.revision]).toEqual([200, 1]);
    expect(await make('/assignments', { policyId: policy, groupId: group })).toMatch(/^asg_/);
    expect(await actionsOn(policy)).toEqual(['policy.restore', 'policy.archive', 'policy.create']);
  });

  it('answers 201 to what it adds and 200 to what it has, and lists its revisions without their documents', async () => {
    const policy = await make('/policies', { yaml: policyNamed('listed') });
    const revise = async (host: string): Promise<number> =>
      (await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: policyNamed('listed', host) } })).status;
    expect([await revise('api.example.com'), await revise('b.example.com'), await revise('b.example.com')]).toEqual([200, 201, 200]);
    const first = (await test.admin<{ items: object[]; next: string }>('GET', `/policies/${policy}/revisions?limit=1`)).body;
    expect(first.items).toEqual([expect.objectContaining({ revision: 2 })]);
    expect(Object.keys(first.items[0] ?? {}).sort()).toEqual(['createdAt', 'createdBy', 'digest', 'policyId', 'revision']);
    const second = (await test.admin<{ items: object[]; next: null }>('GET', `/policies/${policy}/revisions?limit=1&cursor=${first.next}`))
      .body;
    expect([second.items, second.next]).toEqual([[expect.objectContaining({ revision: 1 })], null]);
    expect(refusal(await test.admin<Problem>('GET', '/policies/pol_none/revisions'))).toEqual([404, 'policy.not-found']);
  });

  it('revised by two at once has both revisions or one of them refused, never one lost', async () => {
    const policy = await make('/policies', { yaml: policyNamed('contested') });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        test.admin<{ revision: number }>('POST', `/policies/${policy}/revisions`, {
          body: { yaml: policyNamed('contested', `h${i}.example.com`) },
        }),
      ),
    );
    const added = answers.filter(({ status }) => status === 201).map(({ body }) => body.revision);
    for (const { status } of answers) expect([201, 412]).toContain(status);
    expect(added.sort((a, b) => a - b)).toEqual(added.map((_, i) => i + 2));
    expect(added.length).toBeGreaterThan(0);
  });
});

describe('publishing', () => {
  it('refuses what devices would not accept, says what to do, and leaves what was in force', async () => {
    const before = (await publish('before')).body.serial;
    const group = await make('/groups', { name: 'too much', membership: 'open' });
    const device = await enrol(test, group);
    // Fourteen policies of about 160 KB each for the same devices.
    const hosts = (n: number): string =>
      Array.from({ length: 1900 }, (_, i) => `      - { host: h${i}.${'x'.repeat(50)}.p${n}.example.com }`).join('\n');
    const assignments: string[] = [];
    for (let n = 0; n < 14; n += 1) {
      const yaml = `apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: large-${n} }\nspec:\n  allow:\n    network:\n      hosts:\n${hosts(n)}\n`;
      const answer = await test.admin<{ id: string } & Problem>('POST', '/policies', { body: { yaml } });
      expect(answer.status, answer.body.detail).toBe(201);
      assignments.push(await make('/assignments', { policyId: answer.body.id, groupId: group }));
    }
    const refused = await publish('too much');
    expect(refusal(refused)).toEqual([422, 'publish.too-large']);
    expect(refused.body.detail).toContain('assign fewer');
    expect(test.plane.context.published.checkpoint?.serial ?? before).toBeGreaterThanOrEqual(before);
    expect(await test.plane.context.prisma.changeSet.count({ where: { title: 'too much' } })).toBe(0);
    for (const id of assignments.slice(1)) await test.admin('DELETE', `/assignments/${id}`);
    expect((await publish('less')).status).toBe(201);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    const state = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    expect(state.content.policies.map(({ name }) => name)).toContain('large-0');
    channel.close();
  });

  it('keeps in memory only what is in force, however often it publishes', async () => {
    const group = await make('/groups', { name: 'memory', membership: 'open' });
    const policy = await make('/policies', { yaml: policyNamed('memory') });
    await make('/assignments', { policyId: policy, groupId: group });
    await enrol(test, group);
    const { published } = test.plane.context;
    await publish();
    const [bundles, documents] = [published.bundles.size, published.documents.size];
    for (let i = 0; i < 5; i += 1) {
      await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: policyNamed('memory', `m${i}.example.com`) } });
      await publish();
    }
    expect([published.bundles.size, published.documents.size]).toEqual([bundles, documents]);
  });
});

describe('what publishing leaves behind', () => {
  it('goes when it is old: checkpoints but for the newest, bundles that nobody has and whose manifest has expired', async () => {
    const { prisma } = test.plane.context;
    const policy = await make('/policies', { yaml: policyNamed('old') });
    await make('/assignments', { policyId: policy, groupId: 'grp_all-devices-000000000' });
    await publish('old');
    await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: policyNamed('old', 'newer.example.com') } });
    await publish('newer');
    const before = await prisma.bundle.count();
    await dropSuperseded(test.plane.context);
    expect(await prisma.bundle.count()).toBe(before);
    const today = now;
    now = new Date(now.getTime() + 100 * 86_400_000);
    await dropSuperseded(test.plane.context);
    // The signer has a clock of its own.
    now = today;
    const kept = await prisma.bundle.findMany({ select: { digest: true } });
    const needed = await prisma.cohort.findMany({ select: { digest: true }, distinct: ['digest'] });
    expect(kept.map(({ digest }) => digest).sort()).toEqual(needed.map(({ digest }) => digest).sort());
    expect(kept.length).toBeLessThan(before);
    expect(await prisma.checkpoint.count()).toBe(1);
    // And the service goes on with what is left.
    await renewCheckpoint(test.plane.context, 0);
    expect((await publish('after')).status).toBe(201);
  });
});

describe('the audit log', () => {
  it('is asked by actor, action and subject', async () => {
    const { id, token } = (
      await test.admin<{ id: string; token: string }>('POST', '/api-tokens', { body: { name: 'op', role: 'operator' } })
    ).body;
    const group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'by op' }, token })).body.id;
    const ask = async (query: string): Promise<[string, string][]> =>
      (await test.admin<{ items: { action: string; subject: string }[] }>('GET', `/audit?${query}`)).body.items.map(
        ({ action, subject }) => [action, subject],
      );
    expect(await ask(`actor=token:${id}`)).toEqual([['group.create', group]]);
    expect(await ask(`action=api-token.create&subject=${id}`)).toEqual([['api-token.create', id]]);
    expect(await ask(`actor=token:${id}&action=policy.create`)).toEqual([]);
  });

  it('has an entry for each kind of thing that an admin can change', async () => {
    const { id } = await enrol(test);
    await test.admin('POST', `/devices/${id}/revoke`);
    const group = await make('/groups', { name: 'last' });
    await test.admin('PATCH', `/groups/${group}`, { body: { description: 'changed' }, headers: { 'if-match': '*' } });
    await test.admin('DELETE', `/api-tokens/${await make('/api-tokens', { name: 'last', role: 'auditor' })}`);
    const { items } = (await test.admin<{ items: { action: string }[] }>('GET', '/audit?limit=500')).body;
    expect([...new Set(items.map(({ action }) => action))].sort()).toEqual(
      [
        'api-token.create',
        'api-token.revoke',
        'assignment.create',
        'assignment.delete',
        'changes.publish',
        'device.enroll',
        'device.rename',
        'device.revoke',
        'enrollment-token.create',
        'enrollment-token.revoke',
        'group.add-member',
        'group.create',
        'group.delete',
        'group.remove-member',
        'group.update',
        'organisation.create',
        'policy.archive',
        'policy.create',
        'policy.restore',
        'policy.revise',
        'proposal.approve',
        'proposal.create',
        'proposal.supersede',
        'state.leaves',
      ].sort(),
    );
  });
});
