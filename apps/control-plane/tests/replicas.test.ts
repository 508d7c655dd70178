import { signGeneral } from '@cordon/policy/trust/envelope.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import { SUBPROTOCOL } from '@cordon/policy/protocol/version.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { WebSocket } from 'ws';
import { poolConfig } from '../src/db/client.ts';
import { converse, enrol, follow, hello, sessionProof, type Enrolled, type Memory, type TestChannel } from './_channel.ts';
import { approverOf, publishApproved } from './_approver.ts';
import { createDatabase, enrolDevice, makeStateDir, newKey, POLICY, startPlane, type TestPlane } from './_util.ts';

/** A control plane of its own process, so that it can be killed as a machine dies. */
interface Replica {
  readonly child: ChildProcess;
  readonly adminUrl: string;
  readonly deviceUrl: string;
}

let test: TestPlane;
let other: Replica;
let otherState: string;
let group: string;
let policy: string;
let revision = 0;

const startReplica = async (stateDir: string, { user, password, host, port, database }: TestPlane['owner']): Promise<Replica> => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, '../src/main.ts')], {
    env: {
      CORDON_STATE: stateDir,
      DATABASE_URL: `postgresql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
      CORDON_ADMIN_PORT: '0',
      CORDON_DEVICE_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('no output');
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { msg: string; adminUrl: string; deviceUrl: string };
    if (said.msg === 'ready') return { child, adminUrl: said.adminUrl, deviceUrl: said.deviceUrl };
  }
  throw new Error('the replica ended before it was ready');
};

beforeAll(async () => {
  // An organisation begins on one machine; a second gets a copy of the signer's keys and no more.
  const owner = await createDatabase();
  const first = await startPlane({ owner });
  await first.plane.close();
  otherState = makeStateDir();
  fs.cpSync(path.join(first.stateDir, 'signer'), path.join(otherState, 'signer'), {
    recursive: true,
    filter: (file) => !file.endsWith('.sock'),
  });
  [test, other] = await Promise.all([startPlane({ owner, stateDir: first.stateDir }), startReplica(otherState, owner)]);
  group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'both', membership: 'open' } })).body.id;
  policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
  await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group } });
});
afterAll(async () => {
  other.child.kill('SIGKILL');
  await test.close();
  fs.rmSync(otherState, { recursive: true, force: true });
});

/** As the cluster's superuser, who may end connections. @returns how many rows */
const asSuperuser = async (sql: string): Promise<number> => {
  const client = new pg.Client(poolConfig({ ...inject('database').superuser, database: test.owner.database }, 1));
  await client.connect();
  try {
    return (await client.query(sql)).rowCount ?? 0;
  } finally {
    await client.end();
  }
};

const post = async <T>(url: string, body: object, token?: string): Promise<T> => {
  const reply = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}: ${text}`);
  return JSON.parse(text) as T;
};
const ask = <T>(at: 'here' | 'there', url: string, body: object): Promise<T> =>
  post(`${at === 'here' ? test.plane.adminUrl : other.adminUrl}/api/v1${url}`, body, test.ownerToken);

/** What is published is approved first, through the same one. */
const publishThrough = async (at: 'here' | 'there', title: string): Promise<{ serial: number }> => {
  const said = async (path: string, body: object): Promise<{ status: number; body: object }> => {
    const reply = await fetch(`${at === 'here' ? test.plane.adminUrl : other.adminUrl}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${test.ownerToken}` },
      body: JSON.stringify(body),
    });
    return { status: reply.status, body: (await reply.json()) as object };
  };
  const { status, body } = await publishApproved(said, () => approverOf(test.stateDir), { title });
  if (status !== 201) throw new Error(`publish answered ${status}: ${JSON.stringify(body)}`);
  return body as { serial: number };
};

/** Puts another revision in force, through one of the two. */
const publishAt = async (at: 'here' | 'there'): Promise<number> => {
  revision += 1;
  await ask(at, `/policies/${policy}/revisions`, { yaml: POLICY.replace('api.example.com', `r${revision}.example.com`) });
  return (await publishThrough(at, `revision ${revision}`)).serial;
};

interface Device extends Enrolled {
  readonly key: KeyPair;
  readonly memory: Memory;
  channel: TestChannel;
}
/** As a device does it: a signed challenge, a ticket, the channel; each step perhaps at another replica, as a balancer would have it. */
const open = async (
  { id, key }: Pick<Device, 'id' | 'key'>,
  deviceUrl: string,
  [challenger, prover]: readonly [string, string] = [deviceUrl, deviceUrl],
): Promise<TestChannel> => {
  const { nonce } = await post<{ nonce: string }>(`${challenger}/agent/v1/session/challenge`, { device: id });
  const proof = await sessionProof(test, id, nonce, key);
  const { ticket } = await post<{ ticket: string }>(`${prover}/agent/v1/session`, { device: id, proof });
  const socket = new WebSocket(`${deviceUrl.replace('http', 'ws')}/agent/v1/channel`, SUBPROTOCOL, {
    perMessageDeflate: false,
    headers: { authorization: `Bearer ${ticket}` },
  });
  const channel = converse(socket);
  await channel.next('welcome');
  channel.send(hello());
  return channel;
};
const join = async (at: 'here' | 'there'): Promise<Device> => {
  const key = newKey();
  const enrolled = await enrol(test, group, key);
  const channel = await open({ ...enrolled, key }, at === 'here' ? test.plane.deviceUrl : other.deviceUrl);
  return { ...enrolled, key, channel, memory: {} };
};
/** Until the device enforces what was published last. */
const reach = async (device: Device, serial: number): Promise<void> => {
  const state = await follow(test, device, device.channel, device.memory, serial);
  expect([state.serial, JSON.stringify(state.content).includes(`r${revision}.example.com`)]).toEqual([serial, true]);
};
const acknowledgedAt = (url: string, changeSet: string) => async (): Promise<unknown> => {
  const reply = await fetch(`${url}/api/v1/change-sets/${changeSet}`, { headers: { authorization: `Bearer ${test.ownerToken}` } });
  const { devices, acknowledged } = (await reply.json()) as { devices: number; acknowledged: number };
  return { devices, acknowledged };
};

describe('two control planes on one database', () => {
  it('started together, publishing in turn: the devices of both get each serial, and both know who acknowledged', async () => {
    const [here, there] = [await join('here'), await join('there')];
    const serials: number[] = [];
    for (const at of ['here', 'there', 'here', 'there', 'there', 'here'] as const) {
      serials.push(await publishAt(at));
      await Promise.all([here, there].map((device) => reach(device, serials.at(-1) ?? 0)));
    }
    expect(serials).toEqual(serials.toSorted((a, b) => a - b));
    expect(new Set(serials).size).toBe(6);
    const newest = (await test.admin<{ items: { id: string }[] }>('GET', '/change-sets?limit=1')).body.items[0]?.id ?? '';
    for (const url of [test.plane.adminUrl, other.adminUrl])
      await expect.poll(acknowledgedAt(url, newest), { timeout: 10_000 }).toEqual({ devices: 2, acknowledged: 2 });
    for (const { channel } of [here, there]) channel.close();
  });

  it('publishes through both at the same moment get different serials, and every device ends at the last', async () => {
    const [here, there] = [await join('here'), await join('there')];
    const results = await Promise.all(Array.from({ length: 8 }, (_, i) => publishThrough(i % 2 === 0 ? 'here' : 'there', `at once ${i}`)));
    expect(new Set(results.map(({ serial }) => serial)).size).toBe(8);
    const last = await publishAt('there');
    await Promise.all([here, there].map((device) => reach(device, last)));
    for (const { channel } of [here, there]) channel.close();
  });

  it('a revocation through one ends the session on the other', async () => {
    const device = await join('there');
    await device.channel.next('state');
    await ask('here', `/devices/${device.id}/revoke`, {});
    expect(await device.channel.closed).toEqual({ code: 4401, reason: 'device.revoked' });
  });

  it('a challenge of one, a proof at the other and a channel at either make one session', async () => {
    const device = await join('here');
    const [here, there] = [test.plane.deviceUrl, other.deviceUrl];
    for (const [challenger, prover, opener] of [
      [here, there, here],
      [there, here, there],
      [here, there, there],
      [there, there, here],
    ] as const) {
      const channel = await open(device, opener, [challenger, prover]);
      await channel.next('state');
      expect(await device.channel.closed).toEqual({ code: 4409, reason: 'channel.replaced' });
      device.channel = channel;
    }
    device.channel.close();
  });

  it('the newest session of a device is the only one, at whichever of the two', async () => {
    const device = await join('here');
    for (const url of [other.deviceUrl, test.plane.deviceUrl, other.deviceUrl, other.deviceUrl, test.plane.deviceUrl]) {
      const channel = await open(device, url);
      expect(await device.channel.closed).toEqual({ code: 4409, reason: 'channel.replaced' });
      device.channel = channel;
    }
    // Many at once, at both: one is left.
    const channels = await Promise.all(
      Array.from({ length: 12 }, (_, i) => open(device, i % 2 === 0 ? other.deviceUrl : test.plane.deviceUrl).catch(() => undefined)),
    );
    const opened = [device.channel, ...channels.filter((channel) => channel !== undefined)];
    let closed = 0;
    for (const channel of opened) void channel.closed.then(() => (closed += 1));
    await expect.poll(() => opened.length - closed, { timeout: 10_000 }).toBe(1);
    for (const channel of opened) channel.close();
  });

  it('a device that is approved through one gets its state on the other', async () => {
    const { token } = await ask<{ token: string }>('here', '/enrollment-tokens', { name: 'waits', groupId: group, approval: true });
    const key = newKey();
    const { body } = await enrolDevice(test, token, key);
    const device: Device = {
      id: body.device,
      memberIndex: body.memberIndex,
      key,
      memory: {},
      channel: await open({ id: body.device, key }, other.deviceUrl),
    };
    expect(await device.channel.next('problem')).toMatchObject({ code: 'device.pending' });
    await ask('here', '/devices/approve', { devices: [device.id] });
    await follow(test, device, device.channel, device.memory, 1);
    device.channel.close();
  });

  it('a key that is replaced through one ends the session on the other', async () => {
    const device = await join('there');
    const next = newKey();
    const { nonce } = await post<{ nonce: string }>(`${other.deviceUrl}/agent/v1/rekey/challenge`, { device: device.id });
    const stated = { org: test.plane.context.organisation.orgId, device: device.id, nonce, from: device.key.kid, to: next.kid };
    const statement = await signGeneral(stated, 'cordon-rekey+jws', [device.key, next]);
    await post(`${test.plane.deviceUrl}/agent/v1/rekey`, { device: device.id, from: device.key.jwk, to: next.jwk, statement });
    expect(await device.channel.closed).toEqual({ code: 4409, reason: 'device.rekeyed' });
    (await open({ id: device.id, key: next }, other.deviceUrl)).close();
  });

  it('what one missed while it did not listen is made good when it listens again', async () => {
    const device = await join('here');
    await device.channel.next('state');
    // As a network that drops everything would: the listening connection ends, and what is said meanwhile is said to nobody.
    const { pool } = test.plane.context;
    const stopped = await asSuperuser(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`,
    );
    expect(stopped).toBeGreaterThan(0);
    await pool.query(`UPDATE device SET revoked_at = now(), ended_as = 'revoked' WHERE id = $1`, [device.id]);
    expect(await device.channel.closed).toEqual({ code: 4401, reason: 'device.revoked' });
  });

  it('a live view on one shows what devices of the other acknowledge', async () => {
    const device = await join('there');
    const socket = new WebSocket(`${test.plane.adminUrl.replace('http', 'ws')}/api/v1/watch`, {
      headers: { authorization: `Bearer ${test.ownerToken}` },
    });
    const messages: { type: string; serial: number; acknowledged: number }[] = [];
    socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString('utf8')) as (typeof messages)[number]));
    const serial = await publishAt('there');
    await expect.poll(() => messages.at(-1), { timeout: 10_000 }).toMatchObject({ type: 'progress', serial, acknowledged: 0 });
    await reach(device, serial);
    await expect.poll(() => messages.at(-1), { timeout: 10_000 }).toMatchObject({ type: 'progress', serial, acknowledged: 1 });
    socket.close();
    device.channel.close();
  });

  it('one is killed: the other goes on, takes over its devices, and the killed one comes back to the same state', async () => {
    const [here, there] = [await join('here'), await join('there')];
    await there.channel.next('state');
    other.child.kill('SIGKILL');
    await once(other.child, 'exit');
    expect((await there.channel.closed).code).toBe(1006);
    const serial = await publishAt('here');
    await reach(here, serial);
    there.channel = await open(there, test.plane.deviceUrl);
    await reach(there, serial);
    there.channel.close();

    other = await startReplica(otherState, test.owner);
    there.channel = await open(there, other.deviceUrl);
    await reach(there, serial);
    const next = await publishAt('there');
    await Promise.all([here, there].map((device) => reach(device, next)));
    for (const { channel } of [here, there]) channel.close();
    other.child.kill('SIGTERM');
    expect(await once(other.child, 'exit')).toEqual([0, null]);
  });
});
