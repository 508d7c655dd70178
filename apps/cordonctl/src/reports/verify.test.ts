import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { batchHash, FIRST_BATCH, hashWith } from '@cordon/policy/protocol/batch.ts';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { signHead } from '@cordon/policy/trust/device-head.ts';
import { keyPairFromSeed, type KeyPair } from '@cordon/policy/trust/keys.ts';
import type { LineOf } from './lines.ts';
import { verifyReports, type Outcome, type VerifyOptions } from './verify.ts';

const key = keyPairFromSeed(Buffer.alloc(32, 7));
const former = keyPairFromSeed(Buffer.alloc(32, 6));
const stranger = keyPairFromSeed(Buffer.alloc(32, 8));
const AT = '2026-11-24T12:00:00.000Z';

type Batch = LineOf<'batch'>;
const batchAfter = (boot: string, before: Batch | undefined, size: number, code = 'spool.full'): Batch => {
  const seqFrom = (before?.seqTo ?? 0) + 1;
  const events = Array.from({ length: size }, (_, i): TelemetryEvent => ({ seq: seqFrom + i, at: AT, kind: 'dropped', count: 1, code }));
  const batch = { boot, seqFrom, seqTo: seqFrom + size - 1, prev: before?.hash ?? FIRST_BATCH, events };
  return { type: 'batch', ...batch, hash: batchHash(batch), receivedAt: AT };
};
/** Its hash made anew, over whatever stands in it. */
const rehashed = (batch: Batch): Batch => ({ ...batch, hash: hashWith(batch, canonicalJson(batch.events)) });
const chainOf = (boot: string, sizes: readonly number[], code?: string): Batch[] =>
  sizes.reduce<Batch[]>((all, size) => [...all, batchAfter(boot, all.at(-1), size, code)], []);
const headAt = async ({ boot, seqTo: seq, hash }: Batch, by: KeyPair = key): Promise<LineOf<'head'>> => {
  const head = await signHead(
    { format: 'cordon-head/1', org: 'org_1', device: 'dev_1', boot, seq, hash, at: AT, enforced: null, assurance: 'system' },
    by,
  );
  return { type: 'head', boot, seq, hash, head, receivedAt: AT };
};
const HEADER: LineOf<'reports'> = {
  type: 'reports',
  format: 'cordon-reports/1',
  org: 'org_1',
  device: 'dev_1',
  exportedAt: AT,
  keys: [key.jwk, former.jwk],
};
type Body = (Batch | LineOf<'head'>)[];
const whole = (body: Body): object[] => [
  HEADER,
  ...body,
  { type: 'end', batches: body.filter(({ type }) => type === 'batch').length, heads: body.filter(({ type }) => type === 'head').length },
];
async function* texts(lines: readonly object[]): AsyncGenerator<string> {
  for (const line of lines) yield JSON.stringify(line);
}
const verify = (lines: readonly object[], options: Partial<VerifyOptions> = {}): Promise<Outcome> =>
  verifyReports(texts(lines), { keys: undefined, expired: false, ...options });

const [first, second, third] = chainOf('boot_a', [3, 2, 4]) as [Batch, Batch, Batch];
const later = chainOf('boot_b', [2]) as [Batch];

describe('an export of reports', () => {
  it('holds as the device sent it, and says how much of it the device signed', async () => {
    const body = [await headAt(second), await headAt(first, former), first, second, third, ...later];
    expect(await verify(whole(body))).toEqual({
      device: 'dev_1',
      chains: 2,
      batches: 4,
      events: 11,
      signed: 5,
      foreign: 0,
      expired: 0,
      bad: undefined,
    });
    expect(await verify(whole([]))).toMatchObject({ events: 0, bad: undefined });
  });

  it('a signature by another key proves nothing, and with keys from elsewhere the export is not believed about its own', async () => {
    const body = [await headAt(second, stranger), first, second];
    expect(await verify(whole(body))).toMatchObject({ signed: 0, foreign: 1, bad: undefined });
    const forged = whole([await headAt(second, stranger), first, second]).with(0, { ...HEADER, keys: [stranger.jwk] });
    expect(await verify(forged)).toMatchObject({ signed: 5, foreign: 0 });
    expect(await verify(forged, { keys: new Set([key.kid]) })).toMatchObject({ signed: 0, foreign: 1 });
    expect(await verify(whole([await headAt(second), first, second]), { keys: new Set([key.kid]) })).toMatchObject({
      signed: 5,
      foreign: 0,
    });
  });

  it('names the first event that was changed, whatever of it, and whether or not the hash was made anew', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.boolean(),
        async (sizes, pick, rehash) => {
          const chain = chainOf('boot_a', sizes);
          const [last, i] = [chain.at(-1), pick % chain.length];
          const batch = chain[i];
          if (last === undefined || batch === undefined) return;
          const at = pick % batch.events.length;
          const changed = { ...batch, events: batch.events.with(at, { ...batch.events[at], count: 2 }) };
          const forged = rehash ? rehashed(changed) : changed;
          const { bad } = await verify(whole([await headAt(last), ...chain.with(i, forged)]));
          // With a new hash it shows at the next batch, or at the end that was signed.
          expect(bad).toMatchObject({ boot: 'boot_a', seq: rehash ? (chain[i + 1]?.seqFrom ?? last.seqTo) : batch.seqFrom });
        },
      ),
      { numRuns: Math.ceil(LAW_RUNS / 2) },
    );
  });

  it('a chain that was built anew from some event on is found by any end that was signed after it', async () => {
    const forged = batchAfter('boot_a', first, 2, 'forged');
    const rest = batchAfter('boot_a', forged, 4);
    expect(await verify(whole([first, forged, rest]))).toMatchObject({ signed: 0, bad: undefined });
    expect(await verify(whole([await headAt(first), first, forged, rest]))).toMatchObject({ signed: 3, bad: undefined });
    expect((await verify(whole([await headAt(second), first, forged, rest]))).bad).toMatchObject({
      boot: 'boot_a',
      seq: 5,
      why: expect.stringContaining('built anew') as string,
    });
    expect((await verify(whole([await headAt(third), first, forged, rest]))).bad).toMatchObject({ seq: 9 });
    // Put together in other batches, with the same events.
    expect((await verify(whole([await headAt(first), batchAfter('boot_a', undefined, 5)]))).bad).toMatchObject({ seq: 3 });
  });

  it('names what was taken out, put in, doubled, moved or cut off', async () => {
    const head = await headAt(third);
    for (const [what, body, seq] of [
      ['out', [head, first, third], 4],
      ['at the beginning', [head, second, third], 1],
      ['at the end', [head, first, second], 6],
      ['doubled', [head, first, second, second, third], 4],
      ['moved', [head, first, third, second], 4],
      ['all', [head], 1],
      ['two ends for one number', [await headAt(second), await headAt({ ...second, hash: 'a'.repeat(64) }), first, second, third], 5],
    ] as const)
      expect((await verify(whole([...body]))).bad, what).toMatchObject({ boot: 'boot_a', seq });
    expect((await verify(whole([first, ...later, second]))).bad).toMatchObject({ boot: 'boot_a', why: 'continues a chain that was over' });
  });

  it('beginnings that retention took are allowed when that is said, and counted', async () => {
    const body = [await headAt(first), await headAt(third), second, third];
    expect((await verify(whole(body))).bad).toMatchObject({ seq: 1 });
    expect(await verify(whole(body), { expired: true })).toMatchObject({ events: 6, signed: 6, expired: 3, bad: undefined });
    expect((await verify(whole([await headAt(third), second]), { expired: true })).bad).toMatchObject({ seq: 6 });
  });

  it('events that do not have the numbers of their places are named one by one', async () => {
    const events = second.events.with(1, { ...second.events[1], seq: 7 });
    const forged = { ...second, events };
    expect((await verify(whole([first, rehashed(forged)]))).bad).toMatchObject({
      seq: 5,
    });
    const short = { ...second, events: second.events.slice(1) };
    expect((await verify(whole([first, rehashed(short)]))).bad).toMatchObject({
      seq: 4,
    });
  });

  it('is refused where it is no export: cut off, with other lines, without a beginning, or with one too many', async () => {
    const lines = whole([first]);
    for (let i = 0; i < lines.length; i += 1) expect((await verify(lines.slice(0, i))).bad).toMatchObject({ line: i + 1 });
    expect((await verify([...lines, first])).bad).toMatchObject({ line: 4, why: 'comes after the end' });
    expect((await verify([first])).bad).toMatchObject({ line: 1 });
    expect((await verify([HEADER, ...lines])).bad).toMatchObject({ line: 2, why: 'begins a second export' });
    expect((await verify([HEADER, { ...first, more: 1 }])).bad).toMatchObject({ line: 2 });
    expect((await verify([HEADER, first, { type: 'end', batches: 2, heads: 0 }])).bad).toMatchObject({ line: 3 });
    expect(
      (
        await verifyReports(
          (async function* () {
            yield '{';
          })(),
          { keys: undefined, expired: false },
        )
      ).bad,
    ).toMatchObject({ line: 1 });
  });
});
