import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { batchHash, bodyOf, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import fc from 'fast-check';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import '../../../../infra/vitest-database.ts';
import { poolConfig } from '../db/client.ts';
import { BATCH_COPY, copyText, EVENT_COPY, rowsOf, type Received } from './rows.ts';

/** Everything that COPY's text format gives a meaning, and text of every other kind between it. */
const HOSTILE = [
  '\\',
  '\t',
  '\n',
  '\r',
  '\0',
  '\\N',
  '\\.',
  '\\x41',
  '\\u0000',
  '\\\\u0000',
  '\b',
  '\f',
  '\v',
  '"',
  "'",
  '$$',
  '{',
  '}',
  ',',
  '\u2028',
  'é',
  '🛡',
  '\uFFFD',
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'grapheme', maxLength: 5 })), { maxLength: 12 })
  .map((parts) => parts.join(''))
  .filter((text) => text.isWellFormed());

/** What the documentation of COPY says a reader does with a field (PostgreSQL, "COPY", text format). */
const read = (field: string): string | undefined => {
  if (field === '\\N') return undefined;
  const meaning: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
  return field.replaceAll(/\\(.)/gs, (_all, char: string) => meaning[char] ?? char);
};

const connect = async (): Promise<pg.Client> => {
  const client = new pg.Client(poolConfig(inject('database').superuser, 1));
  await client.connect();
  onTestFinished(() => client.end());
  return client;
};
const copy = (client: pg.Client, statement: string, lines: string): Promise<void> =>
  pipeline(Readable.from([Buffer.from(lines)]), client.query(copyFrom(statement)));

describe('a text in COPY', () => {
  it('is one field of one line, and read back as it was but for NUL', () =>
    fc.assert(
      fc.property(hostile, (text) => {
        const field = copyText(text);
        expect(field).not.toMatch(/[\t\n\r\0]/);
        expect(read(field)).toBe(text.replaceAll('\0', '\uFFFD'));
      }),
      { numRuns: LAW_RUNS },
    ));

  it('that is missing is NULL, and no text is', () => {
    expect(copyText(undefined)).toBe('\\N');
    expect(copyText('\\N')).not.toBe('\\N');
    expect(copyText('')).toBe('');
  });

  it('is read back by PostgreSQL itself as it was', async () => {
    const client = await connect();
    await client.query('CREATE TEMP TABLE texts (n int, a text, b text)');
    const texts = [...HOSTILE, '\\.\n', ...fc.sample(hostile, LAW_RUNS)];
    await copy(
      client,
      'COPY texts FROM STDIN',
      texts.map((text, n) => `${n}\t${copyText(text)}\t${copyText(n % 2 === 0 ? undefined : text)}\n`).join(''),
    );
    const { rows } = await client.query<{ a: string; b: string | null }>('SELECT a, b FROM texts ORDER BY n');
    expect(rows.map(({ a }) => a)).toEqual(texts.map((text) => text.replaceAll('\0', '\uFFFD')));
    expect(rows.map(({ b }) => b)).toEqual(texts.map((text, n) => (n % 2 === 0 ? null : text.replaceAll('\0', '\uFFFD'))));
  });
});

describe('the rows of a batch', () => {
  const received = (text: string): Received => {
    const common = { at: '2026-11-24T12:00:00.000Z', run: text.slice(0, 64), agent: text, osUser: text };
    const events: TelemetryEvent[] = [
      { ...common, seq: 1, kind: 'run.started', program: text, digest: text, controls: [{ control: text, state: text }], attested: true },
      { ...common, seq: 2, kind: 'egress', verdict: 'denied', host: text, port: 443, rule: text, policy: text, code: text },
      { ...common, seq: 3, kind: 'launch.refused', code: text, program: text },
      { ...common, seq: 4, kind: 'run.ended', reason: 'exited', exitCode: 0, durationMs: 5 },
      { seq: 5, at: common.at, kind: 'policy', state: 'rejected', digest: text, serial: 3, code: text },
      { seq: 6, at: common.at, kind: 'dropped', count: 7, code: text },
      { seq: 7, at: common.at, kind: 'selftest', digest: text, passed: false, failed: [text], result: 'a'.repeat(64) },
      { seq: 8, at: common.at, kind: 'daemon', state: 'problem', assurance: 'system', after: 'crash', code: text },
      {
        seq: 9,
        at: common.at,
        kind: 'agent.uncontained',
        agent: text,
        osUser: text,
        program: text,
        evidence: text,
        action: 'stopped',
        count: 2,
      },
      { ...common, seq: 10, kind: 'run.notice', code: text, endsAt: null },
      {
        ...common,
        seq: 11,
        kind: 'file',
        verdict: 'denied',
        access: 'read',
        path: text,
        rule: text,
        policy: text,
        code: text,
        recorder: text,
        count: 2,
      },
      {
        ...common,
        seq: 12,
        kind: 'audit',
        verdict: 'denied',
        enforced: 'allowed',
        access: 'network',
        target: text,
        rule: text,
        policy: text,
        count: 2,
      },
      { ...common, seq: 13, kind: 'flood', class: text, count: 2 },
      { ...common, seq: 14, kind: 'run.finding', code: text, place: text },
    ];
    const batch = { boot: 'boot-1', seqFrom: 1, seqTo: events.length, prev: FIRST_BATCH, events };
    return {
      device: 'dev_1',
      frame: { type: 'telemetry', ...batch, hash: batchHash(batch) },
      receivedAt: new Date('2026-11-24T12:00:01.000Z'),
      body: bodyOf(batch),
    };
  };

  it('are stored by PostgreSQL as one archive row and one row an event, whatever stands in the texts', async () => {
    const client = await connect();
    await client.query(`
      CREATE TEMP TABLE telemetry_batch (device_id text, boot text, seq_from int, seq_to int, received_at timestamptz, prev_hash text, hash text, count int, body bytea);
      CREATE TEMP TABLE telemetry_event (device_id text, boot text, seq int, at timestamptz, received_at timestamptz, kind text, run text, agent text, os_user text,
        verdict text, rule text, target text, detail jsonb);`);
    const texts = [...HOSTILE, HOSTILE.join('')];
    const all = texts.map(received);
    const rows = all.map(rowsOf);
    await copy(client, BATCH_COPY, rows.map(({ batchRow }) => batchRow.toString()).join(''));
    await copy(client, EVENT_COPY, rows.map(({ eventRows }) => eventRows.toString()).join(''));
    expect(rows.map(({ events }) => events)).toEqual(all.map(({ frame }) => frame.events.length));

    const archive = await client.query<{ body: Buffer; count: number; hash: string }>('SELECT body, count, hash FROM telemetry_batch');
    expect(archive.rows).toHaveLength(texts.length);
    for (const [i, { body, count, hash }] of archive.rows.entries()) {
      // The archive is what the device sent, to the byte: its hash can be computed again.
      const events = JSON.parse(zlib.zstdDecompressSync(body).toString('utf8')) as TelemetryEvent[];
      expect([count, hash]).toEqual([14, all[i]?.frame.hash]);
      expect(batchHash({ boot: 'boot-1', seqFrom: 1, seqTo: 14, prev: FIRST_BATCH, events })).toBe(hash);
    }

    const stored = await client.query<Record<string, unknown>>('SELECT * FROM telemetry_event');
    expect(stored.rows).toHaveLength(14 * texts.length);
    for (const [i, text] of texts.entries()) {
      const kept = text.replaceAll('\0', '\uFFFD');
      const [started, egress, refused, ended, policy, dropped, tested, daemon, outside, notice, file, audited, flood, finding] =
        stored.rows.slice(14 * i, 14 * i + 14);
      expect(started).toMatchObject({ kind: 'run.started', agent: kept, os_user: kept, target: kept, verdict: null, rule: null });
      expect(egress).toMatchObject({ verdict: 'denied', rule: kept, target: `${kept}:443`, detail: { policy: kept, code: kept } });
      expect(refused).toMatchObject({ verdict: 'denied', target: kept, detail: { code: kept } });
      expect(ended).toMatchObject({ verdict: 'exited', target: null, detail: { exitCode: 0, durationMs: 5 } });
      expect(policy).toMatchObject({ verdict: 'rejected', run: null, target: kept, detail: { serial: 3, code: kept } });
      expect(dropped).toMatchObject({ target: kept, agent: null, detail: { count: 7 } });
      expect(daemon).toMatchObject({ verdict: 'problem', run: null, target: kept, detail: { assurance: 'system', after: 'crash' } });
      expect(outside).toMatchObject({
        verdict: 'stopped',
        run: null,
        agent: kept,
        os_user: kept,
        target: kept,
        detail: { evidence: kept, count: 2 },
      });
      expect(notice).toMatchObject({ verdict: null, agent: kept, target: kept, detail: { endsAt: null } });
      expect(file).toMatchObject({ verdict: 'denied', rule: kept, target: kept, detail: { access: 'read', recorder: kept, count: 2 } });
      expect(audited).toMatchObject({
        verdict: 'denied',
        rule: kept,
        target: kept,
        detail: { enforced: 'allowed', access: 'network', count: 2 },
      });
      expect(finding).toMatchObject({ kind: 'run.finding', verdict: null, agent: kept, target: kept, detail: { code: kept } });
      expect(flood).toMatchObject({ verdict: null, target: kept, detail: { count: 2 } });
      expect(tested).toMatchObject({ verdict: 'failed', run: null, target: kept, detail: { failed: [kept], result: 'a'.repeat(64) } });
    }
  });
});
