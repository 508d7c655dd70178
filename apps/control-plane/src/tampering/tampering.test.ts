import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import type { Integrity } from '@cordon/policy/protocol/orders.ts';
import { FINDINGS, graver, judgeHello, type Known } from './tampering.ts';

const STATE = 'A'.repeat(22);
const hello = (change: Partial<Integrity> = {}): Integrity => ({
  state: STATE,
  counter: 8,
  first: 8,
  stored: true,
  accepted: { epoch: 1, serial: 20 },
  assurance: 'system',
  machineBoot: null,
  after: 'reboot',
  ...change,
});
const known = (
  change: Partial<NonNullable<Known['said']>> = {},
  acknowledged: Known['acknowledged'] = { epoch: 1, serial: 20 },
): Known => ({
  said: { state: STATE, counter: 7, epoch: 1, serial: 18, ...change },
  acknowledged,
});
const NOBODY: Known = { said: undefined, acknowledged: undefined };

describe('what a device says of its state', () => {
  it.each<readonly [what: string, finding: string | undefined, before: Known, now: Integrity | undefined]>([
    ['goes on', undefined, known(), hello()],
    ['comes for the first time', undefined, NOBODY, hello({ counter: 1, first: 1, after: 'nothing-before' })],
    ['never comes, as from an older agent', undefined, NOBODY, undefined],
    ['does not come any more', 'device.state-lost', known(), undefined],
    ['has another name', 'device.state-lost', known(), hello({ state: 'B'.repeat(22), counter: 1 })],
    [
      'has another name and higher numbers',
      'device.state-lost',
      known(),
      hello({ state: 'B'.repeat(22), accepted: { epoch: 9, serial: 99 } }),
    ],
    ['has the number of the last one', 'device.state-restored', known(), hello({ counter: 7 })],
    ['has an older number', 'device.state-restored', known(), hello({ counter: 3 })],
    ['could not be counted, and says so', undefined, known(), hello({ counter: 7, stored: false })],
    ['could not be counted, and is older', 'device.state-restored', known(), hello({ counter: 6, stored: false })],
    ['is below what it said', 'device.state-restored', known({ serial: 21 }), hello()],
    ['is below what it acknowledged since', 'device.state-restored', known({}, { epoch: 1, serial: 21 }), hello()],
    ['is of an older epoch', 'device.state-restored', known({ epoch: 2, serial: 1 }), hello()],
    ['is of a newer epoch with a lower serial', undefined, known({}, { epoch: 0, serial: 99 }), hello()],
    [
      'is below an acknowledgement of before it could say anything',
      'device.state-restored',
      { ...NOBODY, acknowledged: { epoch: 1, serial: 21 } },
      hello(),
    ],
    ['comes after a stop', 'device.daemon-stopped', known(), hello({ after: 'stop' })],
    ['comes after an end without a word', 'device.daemon-crashed', known(), hello({ after: 'crash' })],
    ['comes after a stop in maintenance', undefined, known(), hello({ after: 'maintenance' })],
    ['comes again from a process that was heard before', undefined, known(), hello({ after: 'crash', first: 5 })],
    ['comes after a stop of its user’s own daemon', undefined, known(), hello({ after: 'stop', assurance: 'user' })],
  ])('%s: %s', (_what, finding, before, now) => {
    expect(judgeHello(before, now)?.code).toBe(finding);
  });

  it('any state that is put back is found, whatever was said and acknowledged in between', () => {
    const step = fc.oneof(fc.constant('hello' as const), fc.constant('accept' as const));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), fc.nat(), (steps, when) => {
        let [counter, serial] = [0, 0];
        let before: Known = NOBODY;
        const copies: { counter: number; serial: number; heard: boolean }[] = [];
        for (const what of steps) {
          copies.push({ counter, serial, heard: false });
          if (what === 'accept') before = { ...before, acknowledged: { epoch: 0, serial: (serial += 1) } };
          else {
            counter += 1;
            const said = hello({ counter, first: 1, accepted: { epoch: 0, serial } });
            expect(judgeHello(before, said)).toBeUndefined();
            before = { ...before, said: { state: STATE, counter, epoch: 0, serial } };
          }
        }
        const copy = copies[when % copies.length];
        if (copy === undefined) return expect.fail('no copy');
        const again = hello({ counter: copy.counter + 1, first: copy.counter + 1, accepted: { epoch: 0, serial: copy.serial } });
        expect(judgeHello(before, again)?.code).toBe('device.state-restored');
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('of two findings the graver stands', () => {
    for (const [i, a] of FINDINGS.entries()) for (const [j, b] of FINDINGS.entries()) expect(graver(a, b)).toBe(FINDINGS[Math.min(i, j)]);
    expect(graver(undefined, 'device.daemon-stopped')).toBe('device.daemon-stopped');
  });
});
