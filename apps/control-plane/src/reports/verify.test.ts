import { bodyOf, batchHash, CHAIN_START, FIRST_BATCH, type ChainPlace } from '@cordon/policy/protocol/batch.ts';
import type { TelemetryEvent } from '@cordon/policy/protocol/events.ts';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { signHead } from '@cordon/policy/trust/device-head.ts';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArchivedBatch } from '../telemetry/telemetry.ts';
import { verifyHead, type HeadVerdict } from './verify.ts';

const key = keyPairFromSeed(Buffer.alloc(32, 7));
const other = keyPairFromSeed(Buffer.alloc(32, 8));

interface Sent extends ArchivedBatch {
  readonly events: readonly TelemetryEvent[];
}

/** A chain of batches with these numbers of events, as the archive has it. */
const chainOf = (sizes: readonly number[], code = 'spool.full'): Sent[] => {
  const batches: Sent[] = [];
  for (const size of sizes) {
    const before = batches.at(-1);
    const seqFrom = (before?.seqTo ?? 0) + 1;
    const events = Array.from({ length: size }, (_, i): TelemetryEvent => ({
      at: '2026-11-24T12:00:00.000Z',
      code,
      count: 1,
      kind: 'dropped',
      seq: seqFrom + i,
    }));
    const batch = { boot: 'boot_1', seqFrom, seqTo: seqFrom + size - 1, prev: before?.hash ?? FIRST_BATCH, events };
    batches.push({ ...batch, hash: batchHash(batch), body: bodyOf(batch), receivedAt: new Date(0) });
  }
  return batches;
};
const placeOf = (batch: ArchivedBatch | undefined): ChainPlace =>
  batch === undefined ? CHAIN_START : { seq: batch.seqTo, hash: batch.hash };
async function* asRead(batches: readonly ArchivedBatch[]): AsyncGenerator<ArchivedBatch> {
  yield* batches;
}

/** The verdict on a head of this place, signed by a device with what it had then. */
const verdictOn = async (
  place: ChainPlace,
  batches: readonly ArchivedBatch[],
  { from = CHAIN_START, by = key }: { readonly from?: ChainPlace; readonly by?: typeof key } = {},
): Promise<HeadVerdict> => {
  const claim = { org: 'org_1', device: 'dev_1', boot: 'boot_1', ...place };
  const jws = await signHead({ format: 'cordon-head/1', ...claim, at: '2026-11-24T12:00:00.000Z', enforced: null, assurance: 'user' }, by);
  return verifyHead({ ...claim, jws, key: key.jwk.x }, from, asRead(batches));
};

const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 });

describe('a signed head', () => {
  it('is verified against every batch up to it, from the place that was verified before', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (counts, at, begin) => {
        const chain = chainOf(counts);
        const last = at % chain.length;
        const first = begin % (last + 1);
        const from = placeOf(chain[first - 1]);
        const read = chain.slice(first);
        expect(await verdictOn(placeOf(chain[last]), read, { from })).toMatchObject({ state: 'verified', reason: null });
      }),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    );
  });

  it('anything that is taken out, changed, doubled, moved or put in before it is found, and its first event named', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.nat(),
        fc.constantFrom('out', 'changed', 'rehashed', 'doubled', 'moved', 'boundary', 'unreadable'),
        async (counts, pick, how) => {
          const chain = chainOf(counts);
          const i = pick % chain.length;
          const [batch, head] = [chain[i], placeOf(chain.at(-1))];
          if (batch === undefined || (how === 'moved' && chain.length < 2)) return;
          const others = chainOf(counts, 'another')[i] ?? batch;
          const rehashed = { ...others, prev: batch.prev };
          const changes: Record<typeof how, readonly [batches: readonly ArchivedBatch[], state: HeadVerdict['state'], seq: number]> = {
            out: [chain.toSpliced(i, 1), 'not-reached', batch.seqFrom],
            changed: [chain.with(i, { ...batch, body: others.body }), 'contradicts', batch.seqFrom],
            rehashed: [chain.with(i, { ...rehashed, hash: batchHash(rehashed) }), 'contradicts', chain[i + 1]?.seqFrom ?? head.seq],
            doubled: [chain.toSpliced(i, 0, batch), 'contradicts', batch.seqFrom],
            moved: [chain.slice(1).concat(chain.slice(0, 1)), 'not-reached', 1],
            boundary: [chain.with(i, { ...batch, seqTo: batch.seqTo + 1 }), 'contradicts', batch.seqFrom],
            unreadable: [chain.with(i, { ...batch, body: undefined }), 'contradicts', batch.seqFrom],
          };
          const [batches, state, seq] = changes[how];
          // What comes twice after the head does not concern it.
          const found = await verdictOn(head, batches);
          if (how === 'doubled' && i === chain.length - 1) expect(found.state).toBe('verified');
          else expect({ how, state: found.state, seq: found.seq }).toEqual({ how, state, seq });
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('of events that are not there is not reached; of another history it contradicts', async () => {
    const chain = chainOf([2, 3]);
    expect(await verdictOn({ seq: 6, hash: 'a'.repeat(64) }, chain)).toEqual({ state: 'not-reached', reason: 'archive.ends', seq: 6 });
    expect(await verdictOn({ seq: 5, hash: 'a'.repeat(64) }, chain)).toEqual({ state: 'contradicts', reason: 'head.hash', seq: 5 });
    // In the middle of a batch no chain ever ended.
    expect(await verdictOn({ seq: 4, hash: chain[1]?.hash ?? '' }, chain)).toEqual({ state: 'contradicts', reason: 'head.hash', seq: 4 });
    expect(await verdictOn({ seq: 5, hash: chain[1]?.hash ?? '' }, [], { from: { seq: 5, hash: 'b'.repeat(64) } })).toMatchObject({
      state: 'contradicts',
    });
  });

  it('by another key, or without one, is no signature of the device, whatever the archive says', async () => {
    const chain = chainOf([2]);
    expect(await verdictOn(placeOf(chain[0]), chain, { by: other })).toEqual({ state: 'wrong-signature', reason: 'jws.key', seq: 2 });
    const claim = { org: 'org_1', device: 'dev_1', boot: 'boot_1', ...placeOf(chain[0]) };
    expect(await verifyHead({ ...claim, jws: 'a.b.c', key: null }, CHAIN_START, asRead(chain))).toMatchObject({ state: 'wrong-signature' });
    expect(await verifyHead({ ...claim, jws: 'a.b.c', key: 'no key' }, CHAIN_START, asRead(chain))).toMatchObject({
      state: 'wrong-signature',
      reason: 'key.refused',
    });
  });
});
