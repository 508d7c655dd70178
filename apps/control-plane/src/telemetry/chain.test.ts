import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { batchHash, FIRST_BATCH } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryFrame } from '@cordon/policy/protocol/channel.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '@cordon/policy/trust/canonical-json.ts';
import { endOf, faultOf, firstDifference, judge, MAX_SEQ, type ChainEnd } from './chain.ts';

const frame = (seqFrom: number, count: number, prev: string = FIRST_BATCH, code = 'spool.full'): TelemetryFrame => {
  const events = Array.from({ length: count }, (_, i) => ({
    seq: seqFrom + i,
    at: '2026-11-24T12:00:00.000Z',
    kind: 'dropped' as const,
    count: 1,
    code,
  }));
  const batch = { boot: 'boot-1', seqFrom, seqTo: seqFrom + count - 1, prev, events };
  return { type: 'telemetry', ...batch, hash: batchHash(batch) };
};
const rehashed = (changed: TelemetryFrame): TelemetryFrame => ({ ...changed, hash: batchHash(changed) });

/** A chain of batches with these numbers of events. */
const chainOf = (counts: readonly number[]): TelemetryFrame[] => {
  const frames: TelemetryFrame[] = [];
  for (const count of counts) {
    const last = frames.at(-1);
    frames.push(frame((last?.seqTo ?? 0) + 1, count, last?.hash));
  }
  return frames;
};
const counts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });

describe('a batch by itself', () => {
  it('is sound when its numbers, times and hash are true', () => expect(faultOf(frame(1, 3))).toBeUndefined());

  it('is refused for each thing that is not true, even when the hash covers it', () => {
    const good = frame(1, 3);
    const [first, ...rest] = good.events;
    if (first === undefined) throw new Error('unreachable');
    const at = (time: string): TelemetryFrame => rehashed({ ...good, events: [{ ...first, at: time }, ...rest] });
    expect(faultOf({ ...good, hash: 'a'.repeat(64) })).toBe('telemetry.hash');
    expect(faultOf({ ...good, prev: 'a'.repeat(64) })).toBe('telemetry.hash');
    expect(faultOf(rehashed({ ...good, seqTo: 4 }))).toBe('telemetry.range');
    expect(faultOf(rehashed({ ...good, seqFrom: 0 }))).toBe('telemetry.range');
    expect(faultOf(rehashed({ ...good, events: good.events.toReversed() }))).toBe('telemetry.range');
    expect(faultOf(frame(MAX_SEQ, 2))).toBe('telemetry.range');
    expect(faultOf(frame(MAX_SEQ, 1))).toBeUndefined();
    for (const time of ['2026-02-30T00:00:00.000Z', '1999-12-31T23:59:59.999Z', '2026-11-24T24:00:00.000Z', '2026-13-01T00:00:00.000Z'])
      expect(faultOf(at(time)), time).toBe('telemetry.time');
  });
});

describe('a chain', () => {
  const law = (name: string, holds: (frames: TelemetryFrame[], pick: number) => void): void =>
    it(name, () =>
      fc.assert(
        fc.property(counts, fc.nat(), (sizes, pick) => holds(chainOf(sizes), pick)),
        { numRuns: LAW_RUNS },
      ),
    );
  const walk = (frames: readonly TelemetryFrame[]): ChainEnd | undefined => {
    let end: ChainEnd | undefined;
    for (const one of frames) {
      expect(judge(one, end)).toBe('next');
      end = endOf(one);
    }
    return end;
  };

  /** What is stored of a chain, by number. */
  const stored = (frames: readonly TelemetryFrame[]): Map<number, string> =>
    new Map(frames.flatMap(({ events }) => events.map((event): [number, string] => [event.seq, canonicalJson(event)])));

  law('takes its batches in order, and every batch that it has again is a repetition without a difference', (frames) => {
    const end = walk(frames);
    for (const one of frames) expect([judge(one, end), firstDifference(one, stored(frames))]).toEqual(['repeated', undefined]);
  });
  law('finds every batch that is missing, and takes none after it', (frames, pick) => {
    const missing = pick % frames.length;
    const end = walk(frames.slice(0, missing));
    for (const later of frames.slice(missing + 1)) expect(judge(later, end)).toBe('gap');
  });
  law('never takes another history of the same numbers, and names the first number that differs', (frames, pick) => {
    const [end, last, one] = [walk(frames), frames.at(-1), frames[pick % frames.length]];
    if (last === undefined || one === undefined) return;
    const other = frame(one.seqFrom, one.events.length, one.prev, 'another');
    expect([judge(other, end), firstDifference(other, stored(frames))]).toEqual(['repeated', other.seqFrom]);
    const late = {
      ...one,
      events: one.events.map((event, i) => (i === one.events.length - 1 ? { ...event, at: '2026-11-24T12:00:00.001Z' } : event)),
    };
    expect(firstDifference(late, stored(frames))).toBe(one.seqTo);
    expect(judge(frame(last.seqTo + 1, 1, other.hash), end)).toBe('fork');
  });
  law('a batch that goes on from what is there is a repetition as far as it overlaps', (frames) => {
    const end = walk(frames);
    const last = frames.at(-1);
    if (end === undefined || last === undefined) return;
    const longer = frame(last.seqFrom, last.events.length + 1, last.prev);
    expect([judge(longer, end), firstDifference(longer, stored(frames))]).toEqual(['repeated', undefined]);
  });
  it('begins only with the first event and no predecessor', () => {
    expect(judge(frame(1, 1), undefined)).toBe('next');
    for (const wrong of [frame(5, 1, 'a'.repeat(64)), frame(2, 1), frame(0, 2), frame(1, 1, 'a'.repeat(64))])
      expect(judge(wrong, undefined)).toBe('gap');
  });
});
