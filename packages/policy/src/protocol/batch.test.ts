import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../trust/canonical-json.ts';
import { sha256Hex } from '../trust/digest.ts';
import { EVENTS } from './_samples.ts';
import { readStrictJson } from '../trust/strict-json.ts';
import { batchHash, bodyIn, bodyOf, CHAIN_START, faultAfter, FIRST_BATCH, ordered, type Batch } from './batch.ts';

const { dropped, egress, policy } = EVENTS;
const BATCH: Batch = { boot: 'boot_1', seqFrom: 3, seqTo: 5, prev: FIRST_BATCH, events: [egress, policy, dropped] };

/** As the receiver reads it. */
const withEvents = (...events: readonly object[]): Batch => JSON.parse(JSON.stringify({ ...BATCH, events })) as Batch;

describe("a batch's hash", () => {
  it('covers every field of the batch', () => {
    const others: Batch[] = [
      BATCH,
      { ...BATCH, boot: 'boot_2' },
      { ...BATCH, seqFrom: 2 },
      { ...BATCH, seqTo: 6 },
      { ...BATCH, prev: batchHash(BATCH) },
      { ...BATCH, events: [egress, policy] },
      { ...BATCH, events: [egress, policy, dropped, dropped] },
      { ...BATCH, events: [policy, egress, dropped] },
    ];
    expect(new Set(others.map(batchHash)).size).toBe(others.length);
  });

  it('is over the canonical form of the whole batch', () => {
    const whole = withEvents(...Object.values(EVENTS));
    expect(batchHash(whole)).toBe(sha256Hex(canonicalJson({ ...whole })));
    expect(batchHash({ ...whole, boot: '"é\\\u0001' })).toBe(sha256Hex(canonicalJson({ ...whole, boot: '"é\\\u0001' })));
  });

  it('covers every field of every kind of event', () => {
    for (const event of Object.values(EVENTS)) {
      const whole = batchHash(withEvents(event));
      for (const [name, value] of Object.entries(event)) {
        const { [name]: _, ...without } = event as Record<string, unknown>;
        const other =
          typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : Array.isArray(value) ? [] : `${String(value)}x`;
        for (const changed of [{ ...event, [name]: other }, without])
          expect([name, batchHash(withEvents(changed))]).not.toEqual([name, whole]);
      }
    }
  });

  it('depends on what is said, not on the order in which members are written', () => {
    const turned = (value: object): object => Object.fromEntries(Object.entries(value).reverse());
    expect(batchHash(turned(withEvents(...BATCH.events.map(turned))) as Batch)).toBe(batchHash(BATCH));
  });

  it('is the same on both sides of the wire', () => {
    expect(batchHash(JSON.parse(JSON.stringify(BATCH)) as Batch)).toBe(batchHash(BATCH));
    expect(batchHash({ boot: 'b', seqFrom: 0, seqTo: 0, prev: FIRST_BATCH, events: [] })).toBe(
      // printf '{"boot":"b","events":[],"prev":"000…","seqFrom":0,"seqTo":0}' | sha256sum
      'c1ce3e16f2e85ff42f76812965cfa7ca93dc1633f1d6c450f6ffa49742ba1c8b',
    );
  });

  it('does not cover what is no part of a batch: the receiver takes the members that it knows', () => {
    expect(batchHash({ ...BATCH, hash: 'x' } as Batch)).toBe(batchHash(BATCH));
  });
});

describe("the text of a batch's events", () => {
  const { events } = withEvents(...Object.values(EVENTS));
  const frame = { type: 'telemetry', ...BATCH, events: events.map(ordered), hash: 'a'.repeat(64) };
  const read = (text: string): string => {
    const { value, written } = readStrictJson(text, { maxBytes: 1_000_000, maxDepth: 8 });
    return bodyIn(value as Batch, written);
  };

  it('is the same, whether it is cut out of what came or written anew', () => {
    const text = JSON.stringify(frame);
    const { events: moved, ...others } = frame;
    const [first] = moved;
    for (const other of [
      text,
      // Written otherwise: with space, with an escape, with members in another order, of the events or of the batch.
      JSON.stringify(frame, null, 1),
      text.replace('"egress"', '"\\u0065gress"'),
      JSON.stringify({ ...frame, events: Object.values(EVENTS) }),
      JSON.stringify({ events: moved, ...others }),
      JSON.stringify(Object.fromEntries(Object.entries(frame).reverse())),
    ])
      expect(read(other)).toBe(bodyOf(frame));
    expect(read(JSON.stringify({ ...frame, events: [{ ...first, at: 'ünïcode \u2028 "' }] }))).toBe(
      canonicalJson([{ ...first, at: 'ünïcode \u2028 "' }]),
    );
  });
});

describe('a batch after others', () => {
  const linked = (seqFrom: number, count: number, prev: string): Batch & { readonly hash: string } => {
    const events = Array.from({ length: count }, (_, i) => ({ ...dropped, seq: seqFrom + i }));
    const batch = { boot: 'boot_1', seqFrom, seqTo: seqFrom + count - 1, prev, events };
    return { ...batch, hash: batchHash(batch) };
  };
  const first = linked(1, 2, FIRST_BATCH);
  const place = { seq: first.seqTo, hash: first.hash };
  const second = linked(3, 2, first.hash);

  it('follows, or it is said why not', () => {
    expect(faultAfter(CHAIN_START, first, bodyOf(first))).toBeUndefined();
    expect(faultAfter(place, second, bodyOf(second))).toBeUndefined();
    expect(faultAfter(CHAIN_START, second, bodyOf(second))).toBe('missing');
    expect(faultAfter(place, first, bodyOf(first))).toBe('again');
    expect(faultAfter(place, second, bodyOf(first))).toBe('changed');
    expect(faultAfter(place, { ...second, prev: 'a'.repeat(64) }, bodyOf(second))).toBe('changed');
    const other = linked(3, 2, 'a'.repeat(64));
    expect(faultAfter(place, other, bodyOf(other))).toBe('apart');
  });
});
