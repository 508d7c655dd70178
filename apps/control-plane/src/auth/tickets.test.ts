import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createOnceStore, createTickets, type OnceStore } from './tickets.ts';

const storeWith = (options: { ttlMs?: number; capacity?: number } = {}): { store: OnceStore<string>; pass: (ms: number) => void } => {
  let now = 1_000_000;
  return {
    store: createOnceStore<string>({ now: () => new Date(now), random: randomBytes, ttlMs: 1000, capacity: 100, ...options }),
    pass: (ms) => {
      now += ms;
    },
  };
};

describe('what may be used once', () => {
  it('is found once and never again', () => {
    const { store } = storeWith();
    const { secret } = store.issue('dev_1');
    expect(store.redeem(secret)).toBe('dev_1');
    expect(store.redeem(secret)).toBeUndefined();
    expect(store.redeem('')).toBeUndefined();
    expect(store.redeem(`${secret}x`)).toBeUndefined();
  });

  it('ends when it says, to the millisecond', () => {
    const { store, pass } = storeWith();
    const [one, two] = [store.issue('a'), store.issue('b')];
    expect(one.expiresAt.getTime()).toBe(1_001_000);
    pass(999);
    expect(store.redeem(one.secret)).toBe('a');
    pass(1);
    expect(store.redeem(two.secret)).toBeUndefined();
  });

  it('forgets the oldest beyond its capacity: a flood neither fills the memory nor shuts out who answers at once', () => {
    const { store } = storeWith({ capacity: 3 });
    const old = store.issue('old');
    const [, , newest] = ['a', 'b', 'c'].map((name) => store.issue(name));
    expect(store.redeem(old.secret)).toBeUndefined();
    expect(newest && store.redeem(newest.secret)).toBe('c');
  });

  it('has secrets of 256 bits that are never the same', () => {
    const { store } = storeWith({ capacity: 2000 });
    const secrets = Array.from({ length: 1000 }, () => store.issue('x').secret);
    expect(new Set(secrets).size).toBe(1000);
    for (const secret of secrets) expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });

  it('behaves like a list that is searched from the front', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('issue' as const), value: fc.string() }),
      fc.record({ kind: fc.constant('redeem' as const), which: fc.nat(20) }),
      fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(700) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (steps, capacity) => {
        const { store, pass } = storeWith({ capacity });
        let now = 0;
        const issued: { secret: string; value: string; ends: number; used: boolean }[] = [];
        for (const one of steps) {
          if (one.kind === 'pass') {
            pass(one.ms);
            now += one.ms;
          } else if (one.kind === 'issue') {
            issued.push({ secret: store.issue(one.value).secret, value: one.value, ends: now + 1000, used: false });
            const living = issued.filter(({ ends, used }) => ends > now && !used);
            for (const forgotten of living.slice(0, Math.max(0, living.length - capacity))) forgotten.used = true;
          } else {
            const wanted = issued[one.which];
            if (wanted === undefined) continue;
            expect(store.redeem(wanted.secret)).toBe(wanted.used || wanted.ends <= now ? undefined : wanted.value);
            wanted.used = true;
          }
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });
});

describe('a ticket', () => {
  it('names its device, once, within 60 seconds', () => {
    let now = 0;
    const tickets = createTickets(() => new Date(now), randomBytes);
    const [one, two] = [tickets.issue('dev_1'), tickets.issue('dev_2')];
    now = 59_999;
    expect(tickets.redeemTicket(one.secret)).toEqual({ device: 'dev_1' });
    expect(tickets.redeemTicket(one.secret)).toBeUndefined();
    now = 60_000;
    expect(tickets.redeemTicket(two.secret)).toBeUndefined();
  });
});
