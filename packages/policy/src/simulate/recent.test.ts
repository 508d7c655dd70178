import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { Recent } from './recent.ts';

it('keeps what was asked for lately, never more than it may, and makes again what it forgot', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 8 }), fc.array(fc.nat(12)), (capacity, keys) => {
      const recent = new Recent<number>(capacity);
      const made: number[] = [];
      keys.forEach((key, i) => {
        const lately = new Set(keys.slice(Math.max(0, i - Math.floor(capacity / 2)), i));
        const before = made.length;
        expect(recent.get(String(key), () => made.push(key) && key)).toBe(key);
        if (lately.has(key)) expect(made.length).toBe(before);
        expect(recent.size).toBeLessThanOrEqual(capacity);
      });
    }),
    { numRuns: LAW_RUNS },
  );
});
