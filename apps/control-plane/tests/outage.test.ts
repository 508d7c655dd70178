import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import fs from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { ackOf, batchAfter, connect, enrol, hello, verify, type TestChannel } from './_channel.ts';
import { POLICY, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
let superuser: pg.Client;
let group: string;
let policy: string;
/** Opened first: by the end of the file it has been silent for longer than a device may be. */
let silent: TestChannel;
beforeAll(async () => {
  test = await startPlane();
  superuser = new pg.Client(poolConfig(inject('database').superuser, 1));
  await superuser.connect();
  group = (await test.admin<{ id: string }>('POST', '/groups', { body: { name: 'all of them', membership: 'open' } })).body.id;
  policy = (await test.admin<{ id: string }>('POST', '/policies', { body: { yaml: POLICY } })).body.id;
  await test.admin('POST', '/assignments', { body: { policyId: policy, groupId: group } });
  await test.admin('POST', '/publish', { body: {} });
  silent = connect(test, (await enrol(test, group)).id);
});
afterAll(async () => {
  await superuser.end();
  await test.close();
});

const cut = async (): Promise<void> => {
  await superuser.query(`ALTER DATABASE ${test.owner.database} ALLOW_CONNECTIONS false`);
  await superuser.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [test.owner.database]);
};
const mend = (): Promise<unknown> => superuser.query(`ALTER DATABASE ${test.owner.database} ALLOW_CONNECTIONS true`);
const count = async (sql: string, values: unknown[] = []): Promise<number> =>
  Number((await test.plane.context.pool.query<{ n: string }>(sql, values)).rows[0]?.n);
const revise = (host: string): Promise<unknown> =>
  test.admin('POST', `/policies/${policy}/revisions`, { body: { yaml: POLICY.replace('api.example.com', host) } });

/** Sends a whole chain as a device does: again from the first that is not acknowledged, for as long as something is missing. */
const deliver = async (channel: TestChannel, frames: readonly TelemetryFrame[]): Promise<void> => {
  let acked = 0;
  let rounds = 0;
  await expect
    .poll(
      () => {
        for (const frame of channel.drain()) if (frame.type === 'telemetry.ack') acked = Math.max(acked, frame.seq);
        const missing = frames.filter(({ seqTo }) => seqTo > acked);
        // Every fifth look, and no more than the rate of a device allows.
        if (rounds++ % 5 === 0) for (const frame of missing.slice(0, 10)) channel.send(frame);
        return missing.length;
      },
      { timeout: 30_000, interval: 150 },
    )
    .toBe(0);
};

describe('a database that goes and comes back', () => {
  it('in the middle of telemetry and acknowledgements: nothing is lost and nothing is there twice', async () => {
    const devices = await Promise.all(Array.from({ length: 6 }, () => enrol(test, group)));
    const channels: TestChannel[] = [];
    for (const { id } of devices) {
      const channel = connect(test, id);
      await channel.next('welcome');
      channel.send(hello());
      channels.push(channel);
    }
    const states = await Promise.all(
      devices.map(async (device, i) => {
        const channel = channels[i];
        if (channel === undefined) throw new Error('unreachable');
        return verify(test, device, await channel.next('state'), await channel.next('membership'));
      }),
    );
    const chains = devices.map(() => {
      const frames: TelemetryFrame[] = [];
      for (let i = 0; i < 20; i += 1) frames.push(batchAfter(frames.at(-1), 10));
      return frames;
    });
    const delivering = channels.map((channel, i) => deliver(channel, chains[i] ?? []));
    // Three times, each time while batches are on their way.
    for (let round = 1; round <= 3; round += 1) {
      await expect
        .poll(() => count('SELECT count(*) AS n FROM telemetry_event'), { timeout: 20_000, interval: 10 })
        .toBeGreaterThan(round * 50);
      await cut();
      for (const [i, channel] of channels.entries()) {
        const state = states[i];
        // What is said last is what must stand in the end.
        if (state !== undefined) channel.send(round === 3 ? ackOf(state) : { ...ackOf(state), phase: 'failed', code: `round.${round}` });
      }
      await mend();
    }
    await Promise.all(delivering);
    expect(await count('SELECT count(*) AS n FROM telemetry_event')).toBe(6 * 200);
    expect(await count('SELECT count(DISTINCT (device_id, boot, seq)) AS n FROM telemetry_event')).toBe(6 * 200);
    expect(await count('SELECT count(*) AS n FROM telemetry_batch')).toBe(6 * 20);
    expect(await count('SELECT sum(count) AS n FROM telemetry_batch')).toBe(6 * 200);
    expect(await count('SELECT count(*) AS n FROM telemetry_cursor WHERE seq = 200')).toBe(6);
    const enforced = "SELECT count(*) AS n FROM device_status WHERE phase = 'enforced' AND digest = $1 AND code IS NULL";
    await expect.poll(() => count(enforced, [states[0]?.digest]), { timeout: 20_000 }).toBe(6);

    // And the channel still works both ways, without a new connection.
    await revise('after.example.com');
    await expect.poll(async () => (await test.admin('POST', '/publish', { body: {} })).status, { timeout: 10_000 }).toBe(201);
    for (const channel of channels) {
      expect((await channel.next('state')).bundle).toContain('after.example.com');
      channel.close();
    }
  });
});

/** The signer of this test's control plane: the one process that has its folder as an argument. */
const signerPid = (): number => {
  const folder = path.join(test.stateDir, 'signer');
  const found = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(folder);
      } catch {
        return false; // it ended meanwhile
      }
    });
  return Number(found ?? 0);
};

describe.runIf(process.platform === 'linux')('a signer that dies', () => {
  it('is started again, and publishing goes on', async () => {
    const before = signerPid();
    process.kill(before, 'SIGKILL');
    const first = await test.admin<{ serial: number; code: string }>('POST', '/publish', { body: { title: 'just after' } });
    // In the very moment of its death the answer may be that it ended: then it is said, and the next one works.
    if (first.status !== 201)
      expect([first.status, first.body.code, first.headers['retry-after']]).toEqual([503, 'signer.unavailable', '5']);
    const second = await test.admin<{ serial: number }>('POST', '/publish', { body: { title: 'after' } });
    expect(second.status).toBe(201);
    const now = signerPid();
    expect(now).toBeGreaterThan(0);
    expect(now).not.toBe(before);
  });

  it('in the middle of a publish leaves the whole change or none of it', async () => {
    for (let round = 0; round < 4; round += 1) {
      await revise(`round-${round}.example.com`);
      const serialBefore = await count('SELECT serial AS n FROM organisation');
      const publishing = test.admin<{ serial: number; code: string }>('POST', '/publish', { body: { title: `round ${round}` } });
      process.kill(signerPid(), 'SIGKILL');
      const { status, body } = await publishing;
      const serialAfter = await count('SELECT serial AS n FROM organisation');
      const stored = await count('SELECT count(*) AS n FROM change_set WHERE title = $1', [`round ${round}`]);
      if (status === 201) expect([serialAfter, stored]).toEqual([body.serial, 1]);
      else expect([status, body.code, serialAfter, stored]).toEqual([503, 'signer.unavailable', serialBefore, 0]);
      await expect.poll(signerPid, { timeout: 10_000 }).toBeGreaterThan(0);
    }
    const device = await enrol(test, group);
    const channel = connect(test, device.id);
    await channel.next('welcome');
    channel.send(hello());
    const last = await test.admin<{ serial: number }>('POST', '/publish', { body: { title: 'last' } });
    const state = await verify(test, device, await channel.next('state'), await channel.next('membership'));
    expect(last.body.serial).toBeGreaterThanOrEqual(state.serial);
    expect(state.content.policies).toHaveLength(1);
    channel.close();
  });

  it('and cannot start says so, and is tried until it can', async () => {
    const passphrase = path.join(test.stateDir, 'signer/passphrase');
    fs.chmodSync(passphrase, 0o644);
    process.kill(signerPid(), 'SIGKILL');
    await expect.poll(signerPid, { timeout: 10_000, interval: 5 }).toBe(0);
    const refused = await test.admin<{ code: string; detail: string }>('POST', '/publish', { body: {} });
    expect([refused.status, refused.body.code]).toEqual([503, 'signer.unavailable']);
    // Everything else goes on meanwhile.
    expect((await test.admin('POST', '/groups', { body: { name: 'meanwhile' } })).status).toBe(201);
    fs.chmodSync(passphrase, 0o600);
    await expect
      .poll(async () => (await test.admin('POST', '/publish', { body: { title: 'again' } })).status, { timeout: 20_000, interval: 200 })
      .toBe(201);
  });
});

describe('a device that says nothing', () => {
  it('is sent away after five seconds, whatever happened to database and signer meanwhile', async () => {
    expect(await silent.closed).toEqual({ code: 4400, reason: 'channel.hello-missing' });
  });
});
