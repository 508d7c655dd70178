import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import type { NewEvent } from '@cordon/policy/protocol/events.ts';
import { createCounted } from './counted.ts';

const denied = (run: string, path: string) =>
  ({
    kind: 'file',
    run,
    agent: 'codex',
    osUser: 'ada',
    verdict: 'denied',
    access: 'read',
    path,
    rule: 'r',
    policy: 'p',
    code: 'EACCES',
    recorder: 'strace',
  }) as const;
const scene = () => {
  const told: string[] = [];
  let at = 0;
  const counted = createCounted(
    (event: NewEvent) => event.kind === 'file' && told.push(`${event.run} ${event.path} ${event.count}`),
    () => at,
  );
  return { ...counted, told, pass: (ms: number) => void (at += ms) };
};

describe('what happens again and again', () => {
  it('is told at its first, and then by its number when the run ends or a while later', () => {
    const { add, end, tend, pass, told } = scene();
    for (let i = 0; i < 5; i += 1) add(denied('run_1', '/a'));
    add(denied('run_1', '/b'));
    add(denied('run_2', '/a'));
    expect(told).toEqual(['run_1 /a 1', 'run_1 /b 1', 'run_2 /a 1']);
    tend();
    expect(told).toHaveLength(3);
    pass(600_000);
    tend();
    expect(told.slice(3)).toEqual(['run_1 /a 4']);
    add(denied('run_1', '/b'));
    end('run_1');
    end('run_1');
    expect(told.slice(4)).toEqual(['run_1 /b 1']);
  });

  it('is counted to the last one, however many different ones there are', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('run_1', 'run_2'), fc.nat({ max: 600 })), { maxLength: 1500 }), (accesses) => {
        const { add, end, told } = scene();
        for (const [run, place] of accesses) add(denied(run, `/${place}`));
        for (const run of ['run_1', 'run_2']) end(run);
        expect(told.reduce((sum, line) => sum + Number(line.split(' ')[2]), 0)).toBe(accesses.length);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 4) },
    ));
});
