import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '@cordon/policy/_laws.ts';
import { MAX_HEADERS } from '@cordon/policy/protocol/history.ts';
import { chainOf, forkOf, linkTo, payloadAfter } from '@cordon/policy/trust/_chain.ts';
import { after } from '@cordon/policy/trust/_world.ts';
import { walkOf, type Finding, type Link } from '@cordon/policy/trust/history.ts';
import { Tracker } from './tracker.ts';

const chain = chainOf(120);
const now = after(0);
const at = (number: number, of: readonly Link[] = chain): Link => {
  const link = of[number];
  if (link === undefined) throw new Error(`no checkpoint ${number}`);
  return link;
};
const show = (found: readonly Finding[]): string[] =>
  found.map(({ code, earlier, later }) => `${code} ${earlier.payload.number}-${later.payload.number}`);

/** Answers as a server does that has this history, so many headers at a time, until nothing is asked any more. */
const answer = (tracker: Tracker, server: readonly Link[], limit = MAX_HEADERS): Finding[] => {
  const found: Finding[] = [];
  for (let request = tracker.next(); request !== undefined; request = tracker.next()) {
    const headers = walkOf(request.from, request.to, limit).map((number) => at(number, server));
    found.push(...tracker.take(request, headers, now));
  }
  return found;
};

describe('the history that a device was shown', { timeout: LAW_TIMEOUT_MS }, () => {
  it('is followed without asking while every checkpoint names the one before', () => {
    const tracker = new Tracker(undefined);
    for (const link of chain) expect(tracker.observe(link)).toEqual([]);
    expect([tracker.next(), tracker.newest, tracker.walked]).toEqual([undefined, chain.at(-1), chain.at(-1)]);
  });

  it('is one whatever was missed and in whatever order it came, when the server has only one', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 119 }), { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (shown, limit) => {
        const tracker = new Tracker(undefined);
        for (const number of shown) expect(tracker.observe(at(number))).toEqual([]);
        expect(answer(tracker, chain, limit)).toEqual([]);
        expect(tracker.walked).toBe(shown.length === 0 ? undefined : at(Math.max(...shown)));
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is found to be two as soon as something of the other is shown, and only then', () => {
    const either = fc.record({ number: fc.integer({ min: 0, max: 119 }), isOther: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 119 }), fc.array(either, { minLength: 1, maxLength: 8 }), (begun, shown) => {
        const other = forkOf(chain, begun);
        const links = shown.map(({ number, isOther }) => at(number, isOther ? other : chain));
        const tracker = new Tracker(undefined);
        const found = links.flatMap((link) => [
          ...tracker.observe(link),
          // The server answers by the history of what it is asked about, as one that lies would.
          ...answer(tracker, tracker.next()?.digest === chain[tracker.next()?.from ?? 0]?.digest ? chain : other),
        ]);
        const isIn = (link: Link, of: readonly Link[]): boolean => of[link.payload.number]?.digest === link.digest;
        const isOne = [chain, other].some((of) => links.every((link) => isIn(link, of)));
        expect(found.length === 0).toBe(isOne);
        for (const { code, earlier, later } of found) {
          expect(code).toBe('history.fork');
          expect([chain, other].some((of) => isIn(earlier, of) && isIn(later, of))).toBe(false);
        }
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('tells a fork from what only was not answered', () => {
    const other = forkOf(chain, 50);
    const forked = new Tracker(undefined);
    forked.observe(at(60));
    forked.observe(at(80, other));
    expect(show(answer(forked, other))).toEqual(['history.fork 60-60']);
    const silent = new Tracker(undefined);
    silent.observe(at(60));
    silent.observe(at(80));
    const request = silent.next();
    expect(request).toMatchObject({ type: 'history', epoch: 3, from: 80, digest: at(80).digest, to: 60 });
    if (request === undefined) return;
    // Not what was asked for last: passed over.
    expect(silent.take({ ...request, digest: at(79).digest }, [], now)).toEqual([]);
    expect(silent.take({ ...request, to: 59 }, [], now)).toEqual([]);
    expect(show(silent.take(request, [], now))).toEqual(['history.withheld 60-80']);
    expect([silent.next(), silent.isWalking, silent.walked]).toEqual([undefined, false, at(80)]);
  });

  it('may have a gap that nobody must be able to fill after ninety days', () => {
    const outcome = (days: number): string[] => {
      const tracker = new Tracker(at(3));
      tracker.observe(at(90));
      const request = tracker.next();
      if (request === undefined) throw new Error('nothing is asked');
      return show(tracker.take(request, [], new Date(Date.parse(at(3).payload.issuedAt) + days * 86_400_000)));
    };
    expect(outcome(89.9)).toEqual(['history.withheld 3-90']);
    expect(outcome(90.1)).toEqual(['history.gap 3-90']);
  });

  it.each<readonly [string, (walk: readonly Link[]) => readonly Link[] | undefined]>([
    ['cannot be opened', () => undefined],
    ['leaves one out', (walk) => walk.slice(1)],
    ['is of another history', (walk) => walk.map(({ payload }) => at(payload.number, forkOf(chain, 10)))],
    ['is in the wrong order', (walk) => walk.toReversed()],
  ])('is not known from an answer that %s', (_name, spoil) => {
    const tracker = new Tracker(at(20));
    tracker.observe(at(100));
    const request = tracker.next();
    if (request === undefined) throw new Error('nothing is asked');
    const walk = walkOf(request.from, request.to, MAX_HEADERS).map((number) => at(number));
    expect(show(tracker.take(request, spoil(walk), now))).toEqual(['history.withheld 20-100']);
  });

  it('begins anew with an epoch, which only the root can raise, and ends no walk by it', () => {
    const tracker = new Tracker(at(20));
    tracker.observe(at(100));
    const next = linkTo(payloadAfter([], { epoch: 4, serial: 1, members: { size: 1, root: at(0).payload.members.root } }));
    expect(tracker.observe(next)).toEqual([]);
    expect([tracker.newest, tracker.walked, tracker.isWalking]).toEqual([next, at(20), true]);
    expect(answer(tracker, chain)).toEqual([]);
    expect([tracker.walked, tracker.observe(at(101))]).toEqual([next, []]);
  });

  it('goes on after a restart from where it was known', () => {
    const first = new Tracker(undefined);
    first.observe(at(10));
    first.observe(at(40));
    expect(first.walked).toBe(at(10));
    const other = forkOf(chain, 30);
    const second = new Tracker(first.walked);
    expect(second.observe(at(40, other))).toEqual([]);
    expect(answer(second, other)).toEqual([]);
    expect(show(second.observe(at(40)))).toEqual(['history.fork 40-40']);
    // Each of the two is told once, whichever comes again.
    expect([second.observe(at(40, other)), second.observe(at(40)), second.observe(at(10))]).toEqual([[], [], []]);
  });

  it('is not asked for without end by a server that never answers', () => {
    const tracker = new Tracker(at(0));
    const found = Array.from({ length: 40 }, (_, i) => tracker.observe(at(2 + 2 * i))).flat();
    expect(new Set(show(found)).size).toBe(24);
    expect(show(found)[0]).toBe('history.withheld 0-2');
  });
});
