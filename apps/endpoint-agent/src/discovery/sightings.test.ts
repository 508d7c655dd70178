import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { MAX_SIGHTINGS } from '@cordon/policy/protocol/inventory.ts';
import { describe, expect, it } from 'vitest';
import { createSightings, keyOf, QUIET_MS } from './sightings.ts';

const at = (ms: number): Date => new Date(Date.parse('2026-11-24T12:00:00.000Z') + ms);
const seen = (file: string) => ({ agent: 'codex', evidence: 'package', file }) as const;

describe('sightings', () => {
  it('are told at once, then once a minute with how many there were', () => {
    const sightings = createSightings();
    sightings.add(seen('/a'), 'ada', 'reported', at(0));
    expect(sightings.due(at(0)).map(({ program, count }) => [program, count])).toEqual([['/a', 1]]);
    sightings.add(seen('/a'), 'ada', 'reported', at(1));
    sightings.add(seen('/a'), 'ada', 'reported', at(2));
    expect([sightings.due(at(3)), sightings.due(at(QUIET_MS - 1))]).toEqual([[], []]);
    expect(sightings.due(at(QUIET_MS)).map(({ count }) => count)).toEqual([2]);
    expect(sightings.all()).toMatchObject([{ times: 3, firstAt: at(0).toISOString(), lastAt: at(2).toISOString() }]);
  });

  it('are told at once when something else was done about them', () => {
    const sightings = createSightings();
    sightings.add(seen('/a'), 'ada', 'reported', at(0));
    sightings.due(at(0));
    sightings.add(seen('/a'), 'ada', 'stopped', at(1));
    expect(sightings.due(at(1)).map(({ action, count }) => [action, count])).toEqual([['stopped', 1]]);
  });

  it('run until they are not seen any more', () => {
    const sightings = createSightings();
    sightings.add(seen('/a'), 'ada', 'reported', at(0));
    sightings.stillThere(new Set([keyOf('codex', 'ada', '/a')]), at(5));
    expect(sightings.all()).toMatchObject([{ running: true, lastAt: at(5).toISOString() }]);
    sightings.stillThere(new Set(), at(9));
    expect(sightings.all()).toMatchObject([{ running: false, lastAt: at(5).toISOString() }]);
  });

  it('of however many programs are all counted in what is told, and no more are kept than fit', () => {
    const step = fc.record({
      file: fc.integer({ min: 0, max: 300 }).map((n) => `/tmp/${n}`),
      user: fc.constantFrom('ada', 'bob'),
      action: fc.constantFrom('reported' as const, 'stopped' as const, 'failed' as const),
      pause: fc.integer({ min: 0, max: 30_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (steps) => {
        const sightings = createSightings();
        let now = 0;
        let told = 0;
        const hear = (): void => {
          for (const { count } of sightings.due(at(now))) told += count;
        };
        for (const { file, user, action, pause } of steps) {
          sightings.add(seen(file), user, action, at((now += pause)));
          if (pause % 2 === 0) sightings.stillThere(new Set(), at(now));
          if (pause % 3 === 0) hear();
          expect(sightings.all().length).toBeLessThanOrEqual(MAX_SIGHTINGS);
        }
        now += QUIET_MS;
        hear();
        expect(told).toBe(steps.length);
      }),
      { numRuns: Math.min(LAW_RUNS, 500) },
    );
  });
});
