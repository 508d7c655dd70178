import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coalesce } from './coalesce.ts';

describe('coalescing', () => {
  it('does together what comes while a run is under way, and each item in a run that began after it came', async () => {
    const runs: (readonly number[])[] = [];
    const gates: (() => void)[] = [];
    const call = coalesce<number>((items) => {
      runs.push(items);
      return new Promise((resolve) => gates.push(resolve));
    });
    const first = call([1]);
    await expect.poll(() => gates.length).toBe(1);
    const others = [call([2]), call([3, 2]), call([4])];
    expect(runs).toEqual([[1]]);
    gates[0]?.();
    await first;
    await expect.poll(() => gates.length).toBe(2);
    expect(runs).toEqual([[1], [2, 3, 4]]);
    gates[1]?.();
    await Promise.all(others);
    expect(runs).toHaveLength(2);
  });

  it('fails those of the run that failed and nobody else', async () => {
    let failing = true;
    const call = coalesce<number>(() => (failing ? Promise.reject(new Error('gone')) : Promise.resolve()));
    const failed = call([1]);
    await expect(failed).rejects.toThrow('gone');
    failing = false;
    await expect(call([2])).resolves.toBeUndefined();
  });

  it('loses no item, runs never overlap, and a call ends only after its items were run', () => {
    const calls = fc.array(fc.array(fc.nat(9), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
    const holds = async (s: fc.Scheduler, asked: readonly (readonly number[])[]): Promise<void> => {
      let running = 0;
      const done: number[] = [];
      const call = coalesce<number>(async (items) => {
        running += 1;
        expect(running).toBe(1);
        await s.schedule(Promise.resolve());
        done.push(...items);
        running -= 1;
      });
      const ask = async (items: readonly number[]): Promise<void> => {
        await s.schedule(Promise.resolve());
        const seen = done.length;
        await call(items);
        for (const item of items) expect(done.slice(seen)).toContain(item);
      };
      await s.waitFor(Promise.all(asked.map(ask)));
      expect(new Set(done)).toEqual(new Set(asked.flat()));
    };
    return fc.assert(fc.asyncProperty(fc.scheduler(), calls, holds), { numRuns: LAW_RUNS });
  });
});
