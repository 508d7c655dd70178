import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSealer, type Purpose, type Sealer } from './sealed.ts';

const key = randomBytes(32);
const START = 1_000_000_000_000;
const at = (ms: number, with_ = key): Sealer => createSealer(with_, () => new Date(START + ms));
const purpose = fc.constantFrom<Purpose>('enroll-challenge', 'session-challenge', 'rekey-challenge', 'ticket');

describe('what is sealed', () => {
  it('opens at every replica with the key, for the same purpose and matter, and for nothing else', () => {
    fc.assert(
      fc.property(purpose, purpose, fc.string(), fc.string(), fc.uint8Array({ minLength: 1, maxLength: 200 }), (one, other, a, b, body) => {
        const { secret } = at(0).seal(one, a, Buffer.from(body));
        expect(at(0).open(one, a, secret)).toEqual(Buffer.from(body));
        if (one !== other || a !== b) expect(at(0).open(other, b, secret)).toBeUndefined();
        expect(at(0, randomBytes(32)).open(one, a, secret)).toBeUndefined();
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('ends when it says, to the millisecond', () => {
    const { secret, expiresAt } = at(0).seal('ticket', 'x');
    expect(expiresAt.getTime()).toBe(START + 60_000);
    expect(at(59_999).open('ticket', 'x', secret)).toBeDefined();
    expect(at(60_000).open('ticket', 'x', secret)).toBeUndefined();
  });

  it('opens with no character changed, left out or added', () => {
    const { secret } = at(0).seal('session-challenge', 'dev_1');
    expect(secret.length).toBeLessThanOrEqual(64);
    for (let i = 0; i < secret.length; i += 1) {
      for (const other of ['A', 'B', '_', '=', '+', ' '].filter((character) => character !== secret[i]))
        expect(at(0).open('session-challenge', 'dev_1', secret.slice(0, i) + other + secret.slice(i + 1))).toBeUndefined();
      expect(at(0).open('session-challenge', 'dev_1', secret.slice(0, i))).toBeUndefined();
      expect(at(0).open('session-challenge', 'dev_1', `${secret.slice(0, i)}A${secret.slice(i)}`)).toBeUndefined();
    }
    for (const junk of ['', 'A', 'A'.repeat(29), 'A'.repeat(30), 'A'.repeat(51)])
      expect(at(0).open('session-challenge', 'dev_1', junk)).toBeUndefined();
  });

  it('cannot be split in another way: a matter that ends where a body begins is another matter', () => {
    const { secret } = at(0).seal('ticket', 'ab', Buffer.from('c'));
    for (const about of ['a', 'abc', 'ab\0', '', 'ab\0c']) expect(at(0).open('ticket', about, secret)).toBeUndefined();
  });

  it('differs each time', () => {
    expect(new Set(Array.from({ length: 100 }, () => at(0).seal('ticket', '').secret)).size).toBe(100);
  });
});
