/** Reports of devices on a real control plane: repetition, gap and second history told apart; signed heads verified in the background; all of it exported. */
import { batchHash } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import { signHead, type HeadStatement } from '@cordon/policy/trust/device-head.ts';
import type { KeyPair } from '@cordon/policy/trust/keys.ts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolConfig } from '../src/db/client.ts';
import { keepPartitions } from '../src/jobs/retention.ts';
import { verifyHeads } from '../src/reports/verify-job.ts';
import { batchAfter, connect, enrol, hello, type TestChannel } from './_channel.ts';
import { newKey, startPlane, type TestPlane } from './_util.ts';

let test: TestPlane;
let owner: pg.Client;
beforeAll(async () => {
  test = await startPlane();
  owner = new pg.Client(poolConfig(test.owner, 1));
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await test.close();
});

interface Reports {
  readonly chains: readonly {
    readonly boot: string;
    readonly seq: number;
    readonly head: { readonly seq: number; readonly state: string; readonly reason: string | null } | null;
  }[];
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly { readonly kind: string; readonly boot: string; readonly seq: number }[];
}

interface Device {
  readonly id: string;
  readonly key: KeyPair;
  readonly channel: TestChannel;
  /** Sends a batch and waits for what is said of it. */
  report(batch: TelemetryFrame): Promise<number | string>;
  /** Signs a head and sends it. */
  sign(
    place: { readonly seqTo: number; readonly hash: string; readonly boot?: string },
    change?: Partial<HeadStatement>,
    by?: KeyPair,
  ): Promise<void>;
  reports(): Promise<Reports>;
  /** Audit entries about it. */
  audited(): Promise<string[]>;
}

const join = async (): Promise<Device> => {
  const key = newKey();
  const { id } = await enrol(test, undefined, key);
  const channel = connect(test, id);
  await channel.next('welcome');
  channel.send(hello());
  const { orgId } = test.plane.context.organisation;
  return {
    id,
    key,
    channel,
    report: async (batch) => {
      channel.send(batch);
      const answer = (): string | undefined => channel.waiting.find(({ type }) => type === 'telemetry.ack' || type === 'problem')?.type;
      await expect.poll(answer, { interval: 2 }).toBeDefined();
      return answer() === 'problem' ? (await channel.next('problem')).code : (await channel.next('telemetry.ack')).seq;
    },
    sign: async ({ boot = 'boot-1', seqTo: seq, hash }, change = {}, by = key) => {
      const statement: HeadStatement = {
        format: 'cordon-head/1',
        org: orgId,
        device: id,
        boot,
        seq,
        hash,
        at: '2026-11-24T12:00:00.000Z',
        enforced: null,
        assurance: 'system',
      };
      channel.send({ type: 'head', boot, seq, hash, head: await signHead({ ...statement, ...change }, by) });
      expect(await channel.next('head.ack')).toEqual({ type: 'head.ack', boot, signed: seq });
    },
    reports: async () => {
      await verifyHeads(test.plane.context);
      return (await test.admin<Reports>('GET', `/devices/${id}/reports`)).body;
    },
    audited: async () => {
      const { body } = await test.admin<{ items: { action: string; detail: { boot: string; seq: number } }[] }>(
        'GET',
        `/audit?subject=${id}&limit=500`,
      );
      return body.items
        .flatMap(({ action, detail }) => (action.startsWith('report.') ? [`${action} ${detail.boot} ${detail.seq}`] : []))
        .reverse();
    },
  };
};
const NONE = { duplicate: 0, gap: 0, fork: 0, 'wrong-signature': 0, 'not-reached': 0, contradicts: 0 };

describe('what a device reports', () => {
  it('is stored once; a repetition is acknowledged again and counted once, a gap and a second history are found once each', async () => {
    const device = await join();
    const first = batchAfter(undefined);
    const second = batchAfter(first);
    const third = batchAfter(second);
    expect(await device.report(first)).toBe(3);
    expect(await device.report(second)).toBe(6);
    for (let i = 0; i < 3; i += 1) for (const batch of [first, second]) expect(await device.report(batch)).toBe(6);
    const jumped = batchAfter(third);
    for (let i = 0; i < 3; i += 1) expect(await device.report(jumped)).toBe('telemetry.gap');
    // Other content for numbers that are stored: the last batch, one before it, and what would follow another history.
    const rewritten = batchAfter(undefined, 3, 'other.example');
    for (const batch of [rewritten, batchAfter(first, 3, 'other.example'), batchAfter({ ...second, hash: 'a'.repeat(64) })])
      for (let i = 0; i < 2; i += 1) expect(await device.report(batch)).toBe('telemetry.fork');
    expect(await device.report(third)).toBe(9);
    const { chains, counts, findings } = await device.reports();
    expect(chains).toEqual([expect.objectContaining({ boot: 'boot-1', seq: 9, head: null })]);
    expect(counts).toEqual({ ...NONE, duplicate: 2, gap: 1, fork: 3 });
    expect(findings).toHaveLength(6);
    expect((await device.audited()).sort()).toEqual([
      'report.fork boot-1 1',
      'report.fork boot-1 4',
      'report.fork boot-1 7',
      'report.gap boot-1 10',
    ]);
    const { rows } = await owner.query(
      'SELECT count(*)::int AS n, count(DISTINCT seq)::int AS d FROM telemetry_event WHERE device_id = $1',
      [device.id],
    );
    expect(rows).toEqual([{ n: 9, d: 9 }]);
    device.channel.close();
  });

  it('what the device had to drop is an event that counts it, and no gap', async () => {
    const device = await join();
    const events = [{ seq: 1, at: '2026-11-24T12:00:00.000Z', kind: 'dropped' as const, count: 4711, code: 'spool.full' }];
    const batch = { ...batchAfter(undefined, 1), events };
    expect(await device.report({ ...batch, hash: batchHash(batch) })).toBe(1);
    expect((await device.reports()).counts).toEqual(NONE);
    device.channel.close();
  });

  it('cannot fill the audit log: of each kind a hundred findings are kept', async () => {
    const device = await join();
    for (let i = 0; i < 120; i += 1) {
      // As fast as a device may send.
      const { seqTo, ...batch } = { ...batchAfter(batchAfter(undefined)), boot: `boot-${i}` };
      const frame = { ...batch, seqTo };
      expect(await device.report({ ...frame, hash: batchHash(frame) })).toBe('telemetry.gap');
    }
    expect((await device.reports()).counts).toEqual({ ...NONE, gap: 100 });
    expect(await device.audited()).toHaveLength(100);
    device.channel.close();
  });
});

describe('the end of a chain that its device signed', () => {
  it('is verified against the archive, each head from the one before it', async () => {
    const device = await join();
    const first = batchAfter(undefined);
    const second = batchAfter(first, 5);
    for (const batch of [first, second]) await device.report(batch);
    await device.sign(first);
    expect((await device.reports()).chains[0]?.head).toMatchObject({ seq: 3, state: 'verified', reason: null });
    await device.sign(second);
    await device.sign(second); // sent again, as after a lost answer
    expect(await device.reports()).toMatchObject({ chains: [{ head: { seq: 8, state: 'verified' } }], counts: NONE });
    expect(await device.audited()).toEqual([]);
    device.channel.close();
  });

  it('is told from one that another key signed, that is about something else, that is ahead, and that contradicts', async () => {
    const device = await join();
    const batch = batchAfter(undefined);
    await device.report(batch);
    await device.sign(batch, {}, newKey());
    expect((await device.reports()).chains[0]?.head).toMatchObject({ state: 'wrong-signature', reason: 'jws.key' });
    await device.sign(batch, { boot: 'boot-2' });
    await device.sign(batch, { org: 'org_other' });
    await device.sign({ seqTo: 4, hash: 'a'.repeat(64) });
    await device.sign({ seqTo: 3, hash: 'b'.repeat(64) });
    await device.sign({ seqTo: 2, hash: batch.hash });
    const { counts } = await device.reports();
    // Three statements about one place, but one finding: it is one head that nobody signed.
    expect(counts).toEqual({ ...NONE, 'wrong-signature': 1, 'not-reached': 1, contradicts: 2 });
    await device.sign(batch);
    await device.reports();
    const { rows } = await owner.query<{ state: string; n: number }>(
      'SELECT state, count(*)::int AS n FROM device_head WHERE device_id = $1 GROUP BY 1 ORDER BY 1',
      [device.id],
    );
    expect(rows).toEqual([
      { state: 'contradicts', n: 2 },
      { state: 'not-reached', n: 1 },
      { state: 'verified', n: 1 },
      { state: 'wrong-signature', n: 3 },
    ]);
    expect((await device.audited()).sort()).toEqual([
      'report.contradicts boot-1 2',
      'report.contradicts boot-1 3',
      'report.not-reached boot-1 4',
      'report.wrong-signature boot-1 3',
    ]);
    device.channel.close();
  });

  it('shows what somebody with the database did to the archive, and names the first event', async () => {
    for (const [sql, state, seq] of [
      [
        'UPDATE telemetry_batch SET body = (SELECT body FROM telemetry_batch b WHERE b.device_id = $1 AND b.seq_from = 1) WHERE device_id = $1 AND seq_from = 4',
        'contradicts',
        4,
      ],
      ['DELETE FROM telemetry_batch WHERE device_id = $1 AND seq_from = 4', 'not-reached', 4],
      ['DELETE FROM telemetry_batch WHERE device_id = $1 AND seq_from = 7', 'not-reached', 7],
      ["UPDATE telemetry_batch SET body = '\\x00' WHERE device_id = $1 AND seq_from = 1", 'contradicts', 1],
      ["UPDATE telemetry_batch SET hash = repeat('a', 64) WHERE device_id = $1 AND seq_from = 7", 'contradicts', 7],
    ] as const) {
      const device = await join();
      const first = batchAfter(undefined);
      const second = batchAfter(first);
      const third = batchAfter(second);
      for (const batch of [first, second, third]) await device.report(batch);
      expect((await owner.query(sql, [device.id])).rowCount, sql).toBe(1);
      await device.sign(third);
      const { counts, findings } = await device.reports();
      expect([counts, findings[0]?.seq], sql).toEqual([{ ...NONE, [state]: 1 }, seq]);
      device.channel.close();
    }
  });

  it('counts with the key that the device had when it came', async () => {
    const device = await join();
    const batch = batchAfter(undefined);
    await device.report(batch);
    await device.sign(batch);
    const other = newKey();
    await owner.query('UPDATE device SET jwk = $2, thumbprint = $3 WHERE id = $1', [device.id, JSON.stringify(other.jwk), other.kid]);
    expect((await device.reports()).chains[0]?.head).toMatchObject({ state: 'verified' });
    device.channel.close();
  });
});

describe('a key that was replaced while a head was on its way', () => {
  it('is no finding: the device signs again with the new one', async () => {
    const device = await join();
    const batch = batchAfter(undefined);
    await device.report(batch);
    await owner.query('UPDATE device SET jwk = $2, thumbprint = $3, key_generation = 2, key_since = now() WHERE id = $1', [
      device.id,
      JSON.stringify(newKey().jwk),
      newKey().kid,
    ]);
    await device.sign(batch);
    expect(await device.reports()).toMatchObject({ chains: [{ head: { state: 'wrong-signature', reason: 'key.rotated' } }], counts: NONE });
    // Long after it, it is one.
    await owner.query("UPDATE device SET key_since = now() - interval '1 hour' WHERE id = $1", [device.id]);
    await device.sign({ ...batch, seqTo: 2 });
    expect((await device.reports()).counts).toEqual({ ...NONE, 'wrong-signature': 1 });
    device.channel.close();
  });
});

describe('what is kept about chains', () => {
  it('goes with what it counted; the newest cursor of a device and what is stored stay recognised', async () => {
    const device = await join();
    const boots = ['boot-a', 'boot-b', 'boot-c'].map((boot) => {
      const batch = { ...batchAfter(undefined), boot };
      return { ...batch, hash: batchHash(batch) };
    });
    for (const batch of boots) {
      expect(await device.report(batch)).toBe(3);
      await device.sign({ ...batch });
    }
    await device.reports();
    const age = async (boot: string, days: number): Promise<void> => {
      await owner.query("UPDATE telemetry_cursor SET at = now() - $3 * interval '1 day' WHERE device_id = $1 AND boot = $2", [
        device.id,
        boot,
        days,
      ]);
      await owner.query("UPDATE device_head SET received_at = now() - $3 * interval '1 day' WHERE device_id = $1 AND boot = $2", [
        device.id,
        boot,
        days,
      ]);
    };
    const left = async (table: string): Promise<string[]> =>
      (await owner.query<{ boot: string }>(`SELECT boot FROM ${table} WHERE device_id = $1 ORDER BY boot`, [device.id])).rows.map(
        ({ boot }) => boot,
      );
    await age('boot-a', 92);
    await age('boot-b', 89);
    await keepPartitions(test.plane.context);
    expect([await left('telemetry_cursor'), await left('device_head')]).toEqual([
      ['boot-b', 'boot-c'],
      ['boot-b', 'boot-c'],
    ]);
    // All of them old: the newest stays, since the rest of its chain may still come.
    await age('boot-b', 400);
    await age('boot-c', 300);
    await keepPartitions(test.plane.context);
    expect(await left('telemetry_cursor')).toEqual(['boot-c']);
    for (const batch of boots.slice(2)) expect(await device.report(batch)).toBe(3);
    expect((await owner.query('SELECT 1 FROM telemetry_event WHERE device_id = $1 AND boot = $2', [device.id, 'boot-c'])).rowCount).toBe(3);
    device.channel.close();
  });

  it('of verified heads the last of a day stays, and all that say something is wrong', async () => {
    const device = await join();
    let batch = batchAfter(undefined);
    for (let i = 0; i < 4; i += 1) {
      await device.report(batch);
      await device.sign(batch);
      batch = batchAfter(batch);
    }
    await device.sign({ seqTo: 2, hash: 'a'.repeat(64) });
    await device.reports();
    await keepPartitions(test.plane.context);
    const { rows } = await owner.query<{ seq: number; state: string }>(
      'SELECT seq, state FROM device_head WHERE device_id = $1 ORDER BY seq',
      [device.id],
    );
    expect(rows).toEqual([
      { seq: 2, state: 'contradicts' },
      { seq: 12, state: 'verified' },
    ]);
    device.channel.close();
  });
});

describe('the export of a device', () => {
  it('has its keys, heads and batches, each as it was sent, and is in the audit log', async () => {
    const device = await join();
    const first = batchAfter(undefined);
    const second = batchAfter(first);
    for (const batch of [first, second]) await device.report(batch);
    await device.sign(second);
    const url = `/api/v1/devices/${device.id}/reports/export`;
    const reply = await test.plane.listeners.admin.app.inject({
      url,
      headers: { authorization: `Bearer ${await test.tokenOf('auditor')}` },
    });
    expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    const lines = reply.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ type }) => type)).toEqual(['reports', 'head', 'batch', 'batch', 'end']);
    expect(lines[0]).toMatchObject({ format: 'cordon-reports/1', device: device.id, keys: [device.key.jwk] });
    expect(lines[2]).toMatchObject({ boot: 'boot-1', seqFrom: 1, seqTo: 3, prev: first.prev, hash: first.hash, events: first.events });
    expect(lines[4]).toEqual({ type: 'end', batches: 2, heads: 1 });
    expect((await device.audited()).map((entry) => entry.split(' ')[0])).toEqual(['report.export']);
    expect((await test.admin('GET', '/devices/dev_0000/reports/export')).status).toBe(404);
    expect((await test.admin('GET', '/devices/dev_0000/reports')).status).toBe(404);
    device.channel.close();
  });
});
