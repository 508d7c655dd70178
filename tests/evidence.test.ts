/** What somebody with all rights in the database cannot hide: an audit log that was cut and built anew, and reports that a device signed. Offline, by `cordonctl` alone. */
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { entryHash, GENESIS } from '@cordon/policy/trust/audit-chain.ts';
import { poolConfig, type DatabaseAccess } from '../apps/control-plane/src/db/client.ts';
import { verifyHeads } from '../apps/control-plane/src/reports/verify-job.ts';
import { openIdentity } from '../apps/endpoint-agent/src/identity/identity.ts';
import { STRAIGHT } from '../apps/endpoint-agent/src/network/network.ts';
import { requireEnrollment } from '../apps/endpoint-agent/src/identity/enrollment.ts';
import { createSlots } from '../apps/endpoint-agent/src/policy-state/slots.ts';
import { startReporter } from '../apps/endpoint-agent/src/telemetry/reporter.ts';
import { openSpool } from '../apps/endpoint-agent/src/telemetry/spool.ts';
import { cordonctl, join, makeFolder, makeSite, start, type Running } from './_fleet.ts';

/** As the owner of the database, who can do anything. */
const asOwner = async (owner: DatabaseAccess): Promise<pg.Client> => {
  const client = new pg.Client(poolConfig(owner, 1));
  await client.connect();
  onTestFinished(() => client.end());
  return client;
};

const exported = async (plane: Running, url: string): Promise<string> => {
  const reply = await plane.listeners.admin.app.inject({ url: `/api/v1${url}`, headers: { authorization: `Bearer ${plane.ownerToken}` } });
  expect(reply.statusCode).toBe(200);
  const file = path.join(makeFolder(), 'export.ndjson');
  fs.writeFileSync(file, reply.body);
  return file;
};

/** The head of the audit log in the newest checkpoint that a device has on its disk. */
const headOnDisk = (stateDir: string): string => {
  const heads = createSlots(stateDir)
    .read()
    .flatMap((state) => (state === 'damaged' ? [] : [state.frame.checkpoint]))
    .map((jws) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as { audit: { seq: number; head: string } })
    .map(({ audit }) => audit)
    .sort((a, b) => b.seq - a.seq);
  return `${heads[0]?.seq}:${heads[0]?.head}`;
};

describe('the audit log', () => {
  it('cut at its end and built anew is refused with the head that a device holds, and the first row named', async () => {
    const site = await makeSite();
    const plane = await start(site);
    for (const name of ['one', 'two', 'three']) await plane.ask('POST', '/groups', { name });
    const device = await join(plane, 'laptop');
    const head = headOnDisk(device.stateDir);
    const [seq = 0] = head.split(':').map(Number);
    expect(seq).toBeGreaterThan(4);
    for (const name of ['four', 'five']) await plane.ask('POST', '/groups', { name });
    const honest = await exported(plane, '/audit/export');
    expect(await cordonctl(['audit', 'verify', honest, '--head', head])).toMatchObject({ status: 0 });

    const owner = await asOwner(site.owner);
    await owner.query('ALTER TABLE audit_entry DISABLE TRIGGER ALL');
    const { rows } = await owner.query<{ n: number }>('SELECT max(seq)::int AS n FROM audit_entry');
    const last = rows[0]?.n ?? 0;
    // The tail goes: what is left is a chain without a fault.
    await owner.query(
      'CREATE TABLE kept AS SELECT * FROM audit_entry; DELETE FROM audit_entry WHERE seq >= $1'.replace('$1', String(seq - 1)),
    );
    const cut = await exported(plane, '/audit/export');
    expect(await cordonctl(['audit', 'verify', cut])).toMatchObject({ status: 0 });
    const missed = await cordonctl(['audit', 'verify', cut, '--head', head, '--json']);
    expect([missed.status, (JSON.parse(missed.stdout) as { bad: object }).bad]).toMatchObject([1, { seq }]);

    // And comes back without one entry of it, with numbers and hashes as they should be.
    const kept = await owner.query<{ at: Date; actor: string; action: string; subject: string; detail: object }>(
      'SELECT at, actor, action, subject, detail FROM kept WHERE seq > $1 ORDER BY seq',
      [seq - 1],
    );
    const before = await owner.query<{ hash: string }>('SELECT hash FROM audit_entry ORDER BY seq DESC LIMIT 1');
    let previous = before.rows[0]?.hash ?? GENESIS;
    for (const [i, facts] of kept.rows.entries()) {
      const entry = { ...facts, seq: seq - 1 + i };
      const hash = entryHash(previous, entry);
      await owner.query(
        'INSERT INTO audit_entry (seq, at, actor, action, subject, detail, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
        [entry.seq, entry.at, entry.actor, entry.action, entry.subject, JSON.stringify(entry.detail), previous, hash],
      );
      previous = hash;
    }
    expect((await owner.query<{ n: number }>('SELECT max(seq)::int AS n FROM audit_entry')).rows[0]?.n).toBe(last - 1);
    const rebuilt = await exported(plane, '/audit/export');
    expect(await cordonctl(['audit', 'verify', rebuilt])).toMatchObject({ status: 0 });
    const refused = await cordonctl(['audit', 'verify', rebuilt, '--head', head]);
    expect(refused.status).toBe(1);
    expect(refused.stdout).toContain(`row ${seq} `);
    expect(refused.stdout).toContain('built anew');
  });
});

describe('the reports of a device', () => {
  it('built anew by the owner of the database are found by the service and offline, and the first event named', async () => {
    const site = await makeSite();
    const plane = await start(site);
    const device = await join(plane, 'laptop');
    const { org } = requireEnrollment(device.stateDir);
    const now = (): Date => new Date();
    const spool = openSpool(path.join(device.stateDir, 'spool'), 'boot_1', 1_048_576, now);
    const identity = openIdentity({
      stateDir: device.stateDir,
      enrollment: requireEnrollment(device.stateDir),
      keyDays: 0,
      network: STRAIGHT,
      now,
      log: () => undefined,
    });
    const reporter = startReporter({
      spool,
      device: { org, device: device.id, assurance: 'user' },
      key: identity.key,
      enforced: () => null,
      send: (frame) => device.channel.send(frame),
      now,
      clock: () => performance.now(),
      log: () => undefined,
    });
    onTestFinished(() => reporter.finish());
    // What is stored is what was sent: the device hears of it from the database, as if each acknowledgement had come.
    const report = async (host: string): Promise<void> => {
      spool.append({
        kind: 'egress',
        run: 'run_1',
        agent: 'test',
        osUser: 'dev',
        verdict: 'denied',
        host,
        port: 443,
        rule: 'default',
        policy: '',
      });
      const seqs = async (): Promise<number> => {
        const { chains } = await plane.ask<{ chains: { boot: string; seq: number }[] }>('GET', `/devices/${device.id}/reports`);
        return chains.find(({ boot }) => boot === 'boot_1')?.seq ?? 0;
      };
      const before = await seqs();
      await expect.poll(seqs, { timeout: 10_000 }).toBe(before + 1);
      reporter.onFrame({ type: 'telemetry.ack', boot: 'boot_1', seq: before + 1 });
    };
    for (let i = 0; i < 4; i += 1) await report(`h${i}.example`);
    reporter.onConnected();
    interface Shown {
      readonly chains: readonly { readonly head: { readonly seq: number; readonly state: string } | null }[];
      readonly counts: Readonly<Record<string, number>>;
      readonly findings: readonly { readonly seq: number }[];
    }
    const shown = async (): Promise<Shown> => {
      await verifyHeads(plane.context);
      return plane.ask<Shown>('GET', `/devices/${device.id}/reports`);
    };
    await expect.poll(async () => (await shown()).chains[0]?.head, { timeout: 10_000 }).toMatchObject({ seq: 4, state: 'verified' });
    const url = `/devices/${device.id}/reports/export`;
    const honest = await cordonctl(['reports', 'verify', await exported(plane, url), '--key', identity.key().kid, '--json']);
    expect([honest.status, JSON.parse(honest.stdout)]).toMatchObject([0, { events: 4, signed: 4, foreign: 0 }]);

    // The third event becomes another one, and everything after it follows as if it had always been so.
    const owner = await asOwner(site.owner);
    const { rows } = await owner.query<{ from: number; body: Buffer }>(
      'SELECT seq_from AS from, body FROM telemetry_batch WHERE device_id = $1 AND boot = $2 ORDER BY seq_from',
      [device.id, 'boot_1'],
    );
    let prev = FIRST_BATCH;
    for (const { from, body } of rows) {
      const events = JSON.parse(zlib.zstdDecompressSync(body).toString()) as TelemetryEvent[];
      const forged = events.map((event) =>
        event.seq === 3 && event.kind === 'egress' ? { ...event, verdict: 'allowed' as const } : event,
      );
      const hash = batchHash({ boot: 'boot_1', seqFrom: from, seqTo: from + events.length - 1, prev, events: forged });
      await owner.query(
        'UPDATE telemetry_batch SET body = $3, prev_hash = $4, hash = $5 WHERE device_id = $1 AND boot = $6 AND seq_from = $2',
        [device.id, from, zlib.zstdCompressSync(JSON.stringify(forged)), prev, hash, 'boot_1'],
      );
      prev = hash;
    }
    await owner.query('UPDATE telemetry_cursor SET hash = $2 WHERE device_id = $1', [device.id, prev]);
    const forged = await cordonctl(['reports', 'verify', await exported(plane, url), '--key', identity.key().kid]);
    expect(forged.status).toBe(1);
    expect(forged.stdout).toMatch(/event 4 of boot_1\) is not what the device signed/);

    // The next head that the device signs contradicts what the service has now.
    await owner.query("UPDATE device_head SET state = 'pending' WHERE device_id = $1", [device.id]);
    const { counts, findings } = await shown();
    expect([counts['contradicts'], findings[0]?.seq]).toEqual([1, 4]);
  });
});
