import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { unpackState } from '@cordon/policy/protocol/packed.ts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { renewCheckpoint } from '../src/publishing/publish.ts';
import {
  ackOf,
  batchAfter,
  connect,
  converse,
  enrol,
  hello,
  ticketOf,
  upgrade,
  verify,
  type Enrolled,
  type TestChannel,
} from './_channel.ts';
import { POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
let group: string;
beforeAll(async () => {
  test = await startPlane();
  group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'developers', membership: 'open' } })).body.id;
});
afterAll(() => test.close());

const publish = async (title: string): Promise<{ changeSet: string; serial: number; cohorts: number; devices: number }> => {
  const { status, body } = await test.admin<{ changeSet: string; serial: number; cohorts: number; devices: number }>('POST', '/publish', {
    body: { title },
  });
  expect(status).toBe(201);
  return body;
};
const greet = async (device: Enrolled, enforcing: object | null = null): Promise<TestChannel> => {
  const channel = connect(test, device.id);
  await channel.next('welcome');
  channel.send(hello(enforcing));
  return channel;
};
/** Waits for what the server writes down in the background. */
const eventually = <T>(ask: () => Promise<T>, isThere: (value: T) => boolean): Promise<T> =>
  expect.poll(ask, { timeout: 15_000, interval: 20 }).toSatisfy(isThere).then(ask);
const progressOf = (id: string) =>
  test
    .admin<{ devices: number; acknowledged: number; failed: number; lastAckMs: number | null }>('GET', `/change-sets/${id}`)
    .then(({ body }) => body);
const complianceOf = (id: string) =>
  test
    .admin<{ state: string; reasons: { code: string }[]; enforced: { digest: string | null }; desired: { digest: string | null } }>(
      'GET',
      `/devices/${id}/compliance`,
    )
    .then(({ body }) => body);

describe('the main flow', () => {
  it('brings a published policy to a device that verifies it, acknowledges it and is compliant', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    const empty = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    expect(empty.content.policies).toEqual([]);
    expect((await complianceOf(device.id)).state).toBe('Unknown');

    const policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
    await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group, mode: 'include' } });
    const first = await publish('Contain coding agents');
    expect(first).toMatchObject({ cohorts: 1, devices: 1 });
    const membership = await channel.next('membership');
    const state = await verify(test, device, await channel.next('state'), membership, empty.ratchet);
    expect(state).toMatchObject({ serial: first.serial, freshness: 'current' });
    expect(state.content.policies).toMatchObject([{ policy, revision: 1, because: [{ group, groupName: 'developers' }] }]);
    expect(await progressOf(first.changeSet)).toMatchObject({ devices: 1, acknowledged: 0 });
    channel.send(ackOf(state));
    const done = await eventually(
      () => progressOf(first.changeSet),
      ({ acknowledged }) => acknowledged === 1,
    );
    expect(done.lastAckMs).toBeGreaterThanOrEqual(0);
    expect(await complianceOf(device.id)).toMatchObject({
      state: 'Compliant',
      enforced: { digest: state.digest },
      desired: { digest: state.digest },
    });
    await eventually(
      () => test.admin<{ states: Record<string, number> }>('GET', '/compliance/summary'),
      ({ body }) => body.states['Compliant'] === 1,
    );

    // Another revision: the cohort stays, so no new proof of membership is needed, again and again.
    let last = state;
    for (const host of ['b.example.com', 'c.example.com']) {
      await test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('api.example.com', host) } });
      const next = await publish('Another host');
      last = await verify(test, device, await channel.next('state'), membership, last.ratchet);
      expect(last).toMatchObject({ serial: next.serial, cohort: state.cohort });
    }
    expect(last.digest).not.toBe(state.digest);
    channel.close();

    // Reconnecting with what it enforces: no bundle bytes, only fresh statements.
    const again = await greet(device, { epoch: last.epoch, serial: last.serial, digest: last.digest, cohort: last.cohort });
    const light = await again.next('state');
    expect(light.bundle).toBeNull();
    again.close();
  });

  it('renews the checkpoint without bundle bytes for devices that enforce the newest, and with a proof for each', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    const state = await channel.next('state');
    const before = await verify(test, device, state, await channel.next('membership'));
    channel.send(ackOf(before));
    await eventually(
      () => complianceOf(device.id),
      ({ enforced }) => enforced.digest === before.digest,
    );
    await renewCheckpoint(test.plane.context, 0);
    const renewed = await channel.next('state');
    expect(renewed.bundle).toBeNull();
    const after = await verify(test, device, { ...renewed, bundle: state.bundle }, await channel.next('membership'), before.ratchet);
    expect(after).toMatchObject({ serial: before.serial, digest: before.digest });
    expect(after.staleAt.getTime()).toBeGreaterThan(before.staleAt.getTime());
    channel.close();
  });

  it('moves a device at once when its groups change, and exclusion wins', async () => {
    const excluded = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'exempt', membership: 'open' } })).body.id;
    const [policy] = (await test.admin<{ items: { id: string }[] }>('GET', '/policies')).body.items;
    await test.admin('POST', '/assignments', { body: { policyId: policy?.id, groupId: excluded, mode: 'exclude' } });
    await publish('Exempt some');
    const device = await enrol(test, group);
    const channel = await greet(device);
    const inside = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    expect(inside.content.policies).toHaveLength(1);
    await test.admin('PUT', `/groups/${excluded}/members/${device.id}`);
    const outside = await verify(test, device, await channel.next('state'), await channel.next('membership'), inside.ratchet);
    expect(outside.content.policies).toEqual([]);
    await test.admin('DELETE', `/groups/${excluded}/members/${device.id}`);
    const back = await verify(test, device, await channel.next('state'), await channel.next('membership'), outside.ratchet);
    expect(back.digest).toBe(inside.digest);
    channel.close();
  });

  it('publishes an empty bundle, never "everything allowed", when the last assignment is gone; and puts it back', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    const first = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    const { items } = (
      await test.admin<{ items: { id: string; policyId: string; groupId: string; mode: string }[] }>('GET', '/assignments')
    ).body;
    for (const { id } of items) await test.admin('DELETE', `/assignments/${id}`);
    await publish('Nothing');
    const emptied = await verify(test, device, await channel.next('state'), await channel.next('membership'), first.ratchet);
    expect(emptied.content.policies).toEqual([]);
    channel.send(ackOf(emptied));
    await eventually(
      () => complianceOf(device.id),
      ({ state, reasons }) => state === 'NonCompliant' && reasons.some(({ code }) => code === 'compliance.no-policy'),
    );
    for (const { policyId, groupId, mode } of items) await test.admin('POST', '/assignments', { body: { policyId, groupId, mode } });
    await publish('Back');
    const back = await verify(test, device, await channel.next('state'), await channel.next('membership'), emptied.ratchet);
    expect(back.content.policies).toHaveLength(1);
    channel.close();
  });
});

describe('telemetry', () => {
  const eventsOf = (device: string) =>
    test
      .admin<{ items: { seq: number; target: string }[]; next: string | null }>(
        'GET',
        `/telemetry/events?device=${device}&kind=egress&verdict=denied&limit=500`,
      )
      .then(({ body }) => body.items);

  it('stores each event once however often its batch is sent, and says what is missing', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    const batches: TelemetryFrame[] = [];
    for (let i = 0; i < 4; i += 1) batches.push(batchAfter(batches.at(-1)));
    const [first, second, third, fourth] = batches;
    if (!first || !second || !third || !fourth) throw new Error('unreachable');
    for (const frame of [first, first, second, first]) channel.send(frame);
    await expect.poll(async () => (await channel.next('telemetry.ack')).seq, { timeout: 10_000, interval: 1 }).toBe(second.seqTo);
    channel.send(fourth);
    expect(await channel.next('problem')).toMatchObject({ code: 'telemetry.gap' });
    channel.close();
    await channel.closed;
    // Another session knows the chain from the database.
    const later = await greet(device);
    later.send(second);
    expect(await later.next('telemetry.ack')).toMatchObject({ boot: 'boot-1', seq: second.seqTo });
    later.send(third);
    later.send(fourth);
    await expect.poll(async () => (await later.next('telemetry.ack')).seq, { timeout: 10_000, interval: 1 }).toBe(fourth.seqTo);
    const stored = await eventsOf(device.id);
    expect(stored.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(Array.from({ length: fourth.seqTo }, (_, i) => i + 1));
    expect(stored[0]?.target).toBe('evil.example:443');
    later.close();
  });

  it('pages through events without losing or repeating one', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    channel.send(batchAfter(undefined, 25));
    await channel.next('telemetry.ack');
    channel.close();
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const url: string = `/telemetry/events?device=${device.id}&limit=10${cursor === null ? '' : `&cursor=${cursor}`}`;
      const { body } = await test.admin<{ items: { seq: number }[]; next: string | null }>('GET', url);
      seen.push(...body.items.map(({ seq }) => seq));
      cursor = body.next;
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => 25 - i));
  });

  it('stores hostile text as text: tabs, newlines, backslashes and NUL reach no other column or row', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    channel.send(batchAfter(undefined, 1, 'a\tb\nc\\N\\.\u0000d'));
    await channel.next('telemetry.ack');
    expect((await eventsOf(device.id))[0]?.target).toBe('a\tb\nc\\N\\.\uFFFDd:443');
    channel.close();
  });

  it('closes on a batch whose hash, numbers or times are not true', async () => {
    const good = batchAfter(undefined);
    const [event] = good.events;
    if (event === undefined) throw new Error('unreachable');
    const bad: [string, TelemetryFrame][] = [
      ['telemetry.hash', { ...good, hash: 'a'.repeat(64) }],
      ['telemetry.range', { ...good, seqTo: 99 }],
      ['telemetry.time', { ...good, events: [{ ...event, at: '1999-12-31T00:00:00.000Z' }, ...good.events.slice(1)] }],
    ];
    for (const [code, frame] of bad) {
      const channel = await greet(await enrol(test, group));
      channel.send(frame);
      expect((await channel.next('problem')).code).toBe(code);
      expect((await channel.closed).code).toBe(4400);
    }
  });
});

describe('the channel refuses', () => {
  let device: Enrolled;
  beforeAll(async () => {
    device = await enrol(test, group);
  });

  it('an upgrade without a fresh ticket, with an origin, or for another subprotocol or path', async () => {
    const statusOf = (socket: ReturnType<typeof upgrade>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
        socket.once('open', () => reject(new Error('was accepted')));
        socket.on('error', () => undefined);
      });
    const used = ticketOf(test, device.id);
    const socket = upgrade(test, used);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.terminate();
    expect(await statusOf(upgrade(test, used))).toBe(401);
    expect(await statusOf(upgrade(test, 'nonsense'))).toBe(401);
    expect(await statusOf(upgrade(test, ticketOf(test, device.id), { headers: { origin: 'https://evil.example' } }))).toBe(403);
    expect(await statusOf(upgrade(test, ticketOf(test, device.id), { protocol: 'cordon.v9' }))).toBe(400);
    expect(await statusOf(upgrade(test, ticketOf(test, device.id), { path: '/agent/v1/other' }))).toBe(404);
  });

  it.each([
    ['text that is not JSON', 'nonsense', 'json.refused'],
    ['a member twice', '{"type":"ack","type":"hello"}', 'json.refused'],
    ['an unknown member', JSON.stringify({ ...hello(), more: 1 }), 'channel.frame'],
    ['an unknown kind', '{"type":"command"}', 'channel.frame'],
    [
      'a message before hello',
      JSON.stringify({ type: 'ack', epoch: 0, serial: 1, digest: 'a'.repeat(64), phase: 'enforced' }),
      'channel.order',
    ],
    [
      'a number that the database cannot hold',
      JSON.stringify({ type: 'ack', epoch: 0, serial: 2 ** 40, digest: 'a'.repeat(64), phase: 'enforced' }),
      'channel.frame',
    ],
    ['another protocol', JSON.stringify({ ...hello(), protocol: 999 }), 'channel.protocol'],
  ])('%s', async (_name, text, code) => {
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(text);
    expect((await channel.next('problem')).code).toBe(code);
    expect((await channel.closed).code).toBe(4400);
  });

  it('binary messages, oversized messages and floods', async () => {
    const binary = await greet(device);
    binary.send(Buffer.from('{}'));
    expect((await binary.closed).code).toBe(4400);
    const large = await greet(device);
    large.send(`"${'x'.repeat(300_000)}"`);
    expect((await large.closed).code).toBe(1009);
    const flood = await greet(device);
    for (let i = 0; i < 150; i += 1) flood.send({ type: 'ack', epoch: 0, serial: 0, digest: 'a'.repeat(64), phase: 'failed' });
    expect((await flood.closed).code).toBe(4429);
  });

  it('compressed messages: it sends them, and takes none', async () => {
    const both = { serverNoContextTakeover: true, clientNoContextTakeover: true };
    const talkative = upgrade(test, ticketOf(test, device.id), { perMessageDeflate: { ...both, threshold: 0 } });
    const channel = converse(talkative);
    await channel.next('welcome');
    expect(talkative.extensions).toBe('permessage-deflate');
    channel.send(hello());
    expect((await channel.closed).code).toBe(1002);
    const usual = upgrade(test, ticketOf(test, device.id), { perMessageDeflate: true });
    await converse(usual).next('welcome');
    expect(usual.extensions).toBe('');
    const quiet = upgrade(test, ticketOf(test, device.id), { perMessageDeflate: { ...both, threshold: Number.MAX_SAFE_INTEGER } });
    const again = converse(quiet);
    await again.next('welcome');
    again.send(hello());
    const state = unpackState(await again.next('state.packed'), test.plane.context.organisation.orgId);
    await verify(test, device, state, await again.next('membership'));
    again.close();
  });

  it('an older session when a newer one of the same device comes', async () => {
    const older = await greet(device);
    const newer = await greet(device);
    expect((await older.closed).code).toBe(4409);
    await newer.next('state');
    newer.close();
  });

  it('a revoked device: the session ends at once and none begins', async () => {
    const other = await enrol(test, group);
    const channel = await greet(other);
    await channel.next('membership');
    await test.admin('POST', `/devices/${other.id}/revoke`);
    expect((await channel.closed).code).toBe(4401);
    const socket = upgrade(test, ticketOf(test, other.id));
    socket.on('error', () => undefined);
    expect(await new Promise((resolve) => socket.once('unexpected-response', (_request, response) => resolve(response.statusCode)))).toBe(
      403,
    );
  });
});

describe('the database', () => {
  it('may go and come back: nothing that a device said is lost, and what was published meanwhile arrives', async () => {
    const device = await enrol(test, group);
    const channel = await greet(device);
    const state = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    const superuser = new pg.Client(poolConfig(inject('database').superuser, 1));
    await superuser.connect();
    const { database } = test.owner;
    await superuser.query(`ALTER DATABASE ${database} WITH ALLOW_CONNECTIONS false`);
    await superuser.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
    const batch = batchAfter(undefined, 5);
    channel.send(ackOf(state));
    channel.send(batchAfter(undefined, 5));
    expect((await test.admin('POST', '/publish', { body: {} })).status).toBeGreaterThanOrEqual(500);
    await superuser.query(`ALTER DATABASE ${database} WITH ALLOW_CONNECTIONS true`);
    await superuser.end();
    await eventually(
      () => complianceOf(device.id),
      ({ enforced }) => enforced?.digest === state.digest,
    );
    // A device repeats what was not acknowledged.
    await expect
      .poll(
        async () => {
          if (!channel.waiting.some(({ type }) => type === 'telemetry.ack')) channel.send(batch);
          return channel.waiting.some(({ type }) => type === 'telemetry.ack');
        },
        { timeout: 20_000, interval: 250 },
      )
      .toBe(true);
    const { body } = await test.admin<{ items: unknown[] }>('GET', `/telemetry/events?device=${device.id}`);
    expect(body.items).toHaveLength(5);
    const [policy] = (await test.admin<{ items: { id: string }[] }>('GET', '/policies')).body.items;
    await test.admin('POST', `/policies/${policy?.id}/revisions`, {
      body: { yaml: POLICY.replace('api.example.com', 'after.example.com') },
    });
    const { serial } = await publish('After');
    expect((await channel.next('state')).cohort.leaf.serial).toBe(serial);
    channel.close();
  });
});
