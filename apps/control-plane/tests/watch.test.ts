import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ackOf, connect, enrol, hello, verify, type Enrolled } from './_channel.ts';
import { POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
let group: string;
beforeAll(async () => {
  test = await startPlane();
  group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'developers', membership: 'open' } })).body.id;
});
afterAll(() => test.close());

interface Message {
  readonly type: 'progress' | 'published';
  readonly changeSet: string;
  readonly serial: number;
  readonly devices?: number;
  readonly acknowledged?: number;
  readonly failed?: number;
  readonly lastAckMs?: number | null;
  readonly title?: string;
}
interface Watching {
  readonly messages: Message[];
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** The first message from here on that fits. */
  until(fits: (message: Message) => boolean): Promise<Message>;
}

const watch = (token: string, query = ''): Watching => {
  const socket = new WebSocket(`${test.plane.adminUrl.replace('http', 'ws')}/api/v1/watch${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const messages: Message[] = [];
  let seen = 0;
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  socket.on('error', () => undefined);
  socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString('utf8')) as Message));
  const until: Watching['until'] = async (fits) => {
    await expect.poll(() => messages.slice(seen).some(fits), { timeout: 10_000, interval: 10 }).toBe(true);
    const index = messages.findIndex((message, i) => i >= seen && fits(message));
    seen = index + 1;
    return messages[index] as Message;
  };
  return { messages, socket, closed, until };
};
const refusalOf = ({ socket }: Watching): Promise<[number | undefined, string]> =>
  new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('was accepted')));
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve([response.statusCode, (JSON.parse(text) as { code: string }).code]));
    });
  });
const publish = async (title: string): Promise<{ changeSet: string; serial: number }> => {
  const { changeSet, serial } = (await test.admin<{ changeSet: string; serial: number }>('POST', '/publish', { body: { title } })).body;
  return { changeSet, serial };
};

describe('the live view', () => {
  it('tells what is published and how its acknowledgements come in, from before the first publish on', async () => {
    const early = watch(test.ownerToken);
    await new Promise((resolve) => early.socket.once('open', resolve));
    const devices: Enrolled[] = [];
    for (let i = 0; i < 3; i += 1) devices.push(await enrol(test, group));
    const channels = devices.map(({ id }) => connect(test, id));
    for (const channel of channels) {
      await channel.next('welcome');
      channel.send(hello());
      await channel.next('state');
    }
    const memberships = await Promise.all(channels.map((channel) => channel.next('membership')));
    const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
    await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group } });
    const first = await publish('First');
    expect(await early.until(({ type }) => type === 'published')).toMatchObject({ ...first, title: 'First' });
    expect(await early.until(({ type }) => type === 'progress')).toEqual({
      type: 'progress',
      ...first,
      devices: 3,
      acknowledged: 0,
      failed: 0,
      lastAckMs: null,
    });
    memberships.splice(0, 3, ...(await Promise.all(channels.map((channel) => channel.next('membership')))));
    for (const [i, channel] of channels.entries()) {
      const [device, membership] = [devices[i], memberships[i]];
      if (device === undefined || membership === undefined) throw new Error('unreachable');
      const state = await verify(test, device, await channel.next('state'), membership);
      channel.send(i === 2 ? { ...ackOf(state), phase: 'failed', code: 'bundle.schema' } : ackOf(state));
    }
    const all = await early.until(({ acknowledged, failed }) => acknowledged === 2 && failed === 1);
    expect(all).toMatchObject({ type: 'progress', ...first, devices: 3 });
    expect(all.lastAckMs).toBeGreaterThanOrEqual(0);

    // Who comes later is told at once how things stand; who names a change set hears of that one.
    const later = watch(test.ownerToken);
    expect(await later.until(() => true)).toEqual(all);
    const named = watch(test.ownerToken, `?changeSet=${first.changeSet}`);
    expect(await named.until(() => true)).toEqual(all);
    const second = await publish('Second');
    expect(await later.until(({ type }) => type === 'published')).toMatchObject(second);
    expect(await later.until(({ type }) => type === 'progress')).toMatchObject(second);
    expect(await named.until(({ type }) => type === 'published')).toMatchObject(second);
    expect(named.messages.filter(({ type }) => type === 'progress').every(({ changeSet }) => changeSet === first.changeSet)).toBe(true);
    for (const { socket } of [early, later, named]) socket.close();
    for (const channel of channels) channel.close();
  });

  it('ends when its token is revoked, and when it expires', async () => {
    for (const [change, reason] of [
      [(id: string) => test.admin('DELETE', `/api-tokens/${id}`), 'auth.token-revoked'],
      [
        (id: string) => test.plane.context.prisma.apiToken.update({ where: { id }, data: { expiresAt: new Date(Date.now() - 1) } }),
        'auth.token-expired',
      ],
    ] as const) {
      const { id, token } = (
        await test.admin<{ id: string; token: string }>('POST', '/api-tokens', { body: { name: 'view', role: 'auditor', ttlSeconds: 600 } })
      ).body;
      const watching = watch(token);
      await watching.until(() => true);
      await change(id);
      expect(await watching.closed).toEqual({ code: 4401, reason });
    }
  });

  it('refuses who may not look, what is not there, and more than ten of one token, with the answers of any route', async () => {
    expect(await refusalOf(watch('nonsense'))).toEqual([401, 'auth.required']);
    expect(await refusalOf(watch(await test.tokenOf('helpdesk')))).toEqual([403, 'auth.forbidden']);
    expect(await refusalOf(watch(test.ownerToken, '?changeSet=chg_none'))).toEqual([404, 'change-set.not-found']);
    expect(await refusalOf(watch(test.ownerToken, '?change=x'))).toEqual([400, 'request.invalid']);
    const plain = await test.admin<{ code: string }>('GET', '/watch');
    expect([plain.status, plain.body.code]).toEqual([426, 'watch.upgrade']);
    const token = await test.tokenOf('approver');
    const many = Array.from({ length: 10 }, () => watch(token));
    await Promise.all(many.map((one) => one.until(() => true)));
    expect(await refusalOf(watch(token))).toEqual([429, 'watch.too-many']);
    many[0]?.socket.close();
    await many[0]?.closed;
    const again = watch(token);
    await again.until(() => true);
    for (const { socket } of [...many, again]) socket.close();
    // Nothing that was refused keeps its connection: a client that does not hang up cannot hold one.
    const { server } = test.plane.listeners.admin.app;
    const connections = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
    await expect.poll(connections, { timeout: 5000 }).toBe(0);
  });

  it('is read only, answers an upgrade of any other route as that route would, and says when the service stops', async () => {
    const talking = watch(test.ownerToken);
    await talking.until(() => true);
    talking.socket.send('publish!');
    expect(await talking.closed).toEqual({ code: 4400, reason: 'watch.read-only' });
    const large = watch(test.ownerToken);
    await large.until(() => true);
    large.socket.send('x'.repeat(2000));
    expect((await large.closed).code).toBe(1009);
    const elsewhere = new WebSocket(`${test.plane.adminUrl.replace('http', 'ws')}/api/v1/nothing`);
    elsewhere.on('error', () => undefined);
    const status = new Promise((resolve) => elsewhere.once('unexpected-response', (_request, reply) => resolve(reply.statusCode)));
    expect(await status).toBe(404);
    const open = watch(test.ownerToken);
    await open.until(() => true);
    await test.plane.close();
    expect(await open.closed).toEqual({ code: 1012, reason: 'service.restarts' });
  });
});
