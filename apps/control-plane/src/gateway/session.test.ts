import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Session, type Channel } from './session.ts';

/** A session at time 0 of a clock of its own; its connection is never touched here. */
const session = (): Session => new Session('dev_1', 1, {} as Channel, new PassThrough(), false, 0);

describe("a device's rate", () => {
  it('is 100 messages at once, then 20 a second', () => {
    const one = session();
    expect(Array.from({ length: 101 }, () => one.admit(0)).lastIndexOf(true)).toBe(99);
    expect(one.admit(49)).toBe(false);
    expect(one.admit(50)).toBe(true);
    expect(one.admit(50)).toBe(false);
    let admitted = 0;
    for (let ms = 51; ms <= 10_050; ms += 1) if (one.admit(ms)) admitted += 1;
    expect(admitted).toBe(200);
  });

  it('saves up no more than the burst, however long nothing was said', () => {
    const one = session();
    for (let i = 0; i < 100; i += 1) one.admit(0);
    const later = 3_600_000;
    expect(Array.from({ length: 150 }, () => one.admit(later)).filter(Boolean)).toHaveLength(100);
  });

  it('admits within any time at most the burst and twenty for each second', () =>
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 400 }), (pauses) => {
        const one = session();
        let now = 0;
        const admitted: number[] = [];
        for (const pause of pauses) {
          now += pause / 10;
          if (one.admit(now)) admitted.push(now);
        }
        for (const [i, from] of admitted.entries())
          for (const [j, to] of admitted.entries())
            if (j >= i) expect(j - i + 1).toBeLessThanOrEqual(100 + ((to - from) * 20) / 1000 + 1e-6);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 10) },
    ));
});
