import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { chainOf, forkOf, linkTo, payloadAfter } from './_chain.ts';
import { codeOf } from './_refusal.ts';
import { keyNamed } from './_world.ts';
import type { CheckpointPayload } from './checkpoint.ts';
import { sha256Hex } from './digest.ts';
import { signCompact } from './envelope.ts';
import { compareLinks, expectedAfter, nextOf, openLink, readKeptLink, skipOf, stepTo, walkOf, type Link } from './history.ts';

const places = fc.integer({ min: 0, max: 2_147_483_647 });
const chain = chainOf(70);
const at = (number: number, of: readonly Link[] = chain): Link => {
  const link = of[number];
  if (link === undefined) throw new Error(`no checkpoint ${number}`);
  return link;
};
const codes = (one: Link, other: Link): string[] => compareLinks(one, other).findings.map(({ code }) => code);

describe('the second pointer of a checkpoint', { timeout: LAW_TIMEOUT_MS }, () => {
  it('leads back, and as it is written', () => {
    expect(Array.from({ length: 17 }, (_, number) => skipOf(number))).toEqual([0, 0, 1, 0, 3, 4, 3, 0, 7, 8, 7, 10, 11, 10, 7, 0, 15]);
    fc.assert(
      fc.property(places, (number) => {
        expect(skipOf(number)).toBeLessThanOrEqual(Math.max(0, number - 1));
        expect(skipOf(number)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('makes a walk between any two places short, each step one of the two pointers, and ends it exactly at its goal', () => {
    fc.assert(
      fc.property(places, places, (a, b) => {
        const [to, from] = [Math.min(a, b), Math.max(a, b)];
        const walk = walkOf(from, to, 1000);
        expect(walk.length).toBeLessThanOrEqual(3 * Math.floor(Math.log2(from + 1)));
        expect(from === to ? [] : walk.at(-1)).toEqual(from === to ? [] : to);
        [from, ...walk].forEach((place, i) => {
          const next = walk[i];
          if (next === undefined) return;
          expect([place - 1, skipOf(place)]).toContain(next);
          expect(next).toBe(nextOf(place, to));
        });
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('goes on from where a walk was cut', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 9 }),
        (a, b, limit) => {
          const [to, from] = [Math.min(a, b), Math.max(a, b)];
          const whole = walkOf(from, to, 1000);
          const pieces: number[] = [];
          for (let place = from; place > to; place = pieces.at(-1) ?? to) pieces.push(...walkOf(place, to, limit));
          expect(pieces).toEqual(whole);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('makes the walk over ninety days of five minutes less than forty headers', () => {
    const longest = Math.max(...Array.from({ length: 2000 }, (_, i) => walkOf(25_920 + i, i, 1000).length));
    expect(longest).toBeLessThan(40);
  });
});

describe('two checkpoints', () => {
  it('are the same, follow, or have others between, in whatever order they came', () => {
    for (const [a, b, relation] of [
      [5, 5, 'same'],
      [5, 6, 'next'],
      [5, 7, 'apart'],
      [0, 69, 'apart'],
    ] as const) {
      expect(compareLinks(at(a), at(b))).toEqual({ relation, findings: [] });
      expect(compareLinks(at(b), at(a))).toEqual({ relation, findings: [] });
    }
  });

  it('of two epochs are not compared: the root began anew', () => {
    const next = linkTo(
      payloadAfter([], { epoch: 4, serial: 0, members: { size: 0, root: sha256Hex('') }, audit: { seq: 0, head: sha256Hex('') } }),
    );
    expect(compareLinks(at(20), next)).toEqual({ relation: 'epoch', findings: [] });
    expect(compareLinks(next, at(20))).toEqual({ relation: 'epoch', findings: [] });
  });

  it('at one place are a fork, and so is one whose predecessor is another', () => {
    const other = forkOf(chain, 8, 12);
    expect(compareLinks(at(8), at(8, other)).findings).toEqual([{ code: 'history.fork', earlier: at(8), later: at(8, other) }]);
    expect(compareLinks(at(8), at(9, other)).findings).toEqual([{ code: 'history.fork', earlier: at(8), later: at(9, other) }]);
    expect(compareLinks(at(9, other), at(8)).findings).toEqual([{ code: 'history.fork', earlier: at(8), later: at(9, other) }]);
    // With others between, only the walk can tell.
    expect(compareLinks(at(8), at(11, other))).toEqual({ relation: 'apart', findings: [] });
  });

  const changed = (change: Partial<CheckpointPayload>): Link => linkTo({ ...at(9).payload, ...change });
  const size = (of: 'members' | 'cohorts', less: number): object => ({
    [of]: { ...at(8).payload[of], size: at(8).payload[of].size - less },
  });
  it.each([
    ['fewer members', size('members', 1), ['history.shrink']],
    ['as many members', size('members', 0), []],
    ['fewer cohorts', size('cohorts', 1), ['history.shrink']],
    ['an older entry of the audit log', { audit: { seq: 107, head: at(7).payload.audit.head } }, ['history.audit']],
    ['another entry at the same place', { audit: { seq: 108, head: sha256Hex('rebuilt') } }, ['history.audit']],
    ['no new entry', { audit: at(8).payload.audit }, []],
    ['a smaller serial', { serial: at(8).payload.serial - 1 }, ['history.serial']],
    ['the same serial', { serial: at(8).payload.serial }, []],
  ] as const)('of which the later has %s', (_name, change, expected) => {
    expect(codes(at(8), changed(change))).toEqual(expected);
    expect(codes(changed(change), at(8))).toEqual(expected);
    // And with others between.
    expect(codes(at(8), linkTo({ ...changed(change).payload, number: 30, previous: at(29).digest }))).toEqual(expected);
  });
});

describe('a walk', { timeout: LAW_TIMEOUT_MS }, () => {
  /** As a device does it, with the headers that a server of another history would give. */
  const walk = (from: Link, goal: Link, server: readonly Link[]): readonly string[] => {
    const found: string[] = [];
    for (let here = from; ;) {
      const { number } = expectedAfter(here, goal.payload.number);
      const header = at(number, server);
      const step = stepTo(here, header, goal);
      found.push(...step.findings.map(({ code }) => code));
      if (step.over) return found;
      here = header;
    }
  };

  it('finds nothing in one history, and the fork wherever it began', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 66 }),
        fc.integer({ min: 2, max: 69 }),
        fc.integer({ min: 0, max: 69 }),
        (low, distance, begun) => {
          const high = Math.min(69, low + distance);
          if (high - low < 2) return;
          const other = forkOf(chain, begun);
          expect(walk(at(high), at(low), chain)).toEqual([]);
          expect(walk(at(high, other), at(low), other)).toEqual(begun <= low ? ['history.fork'] : []);
        },
      ),
      { numRuns: LAW_RUNS },
    );
  });

  it('takes no header but the one that was named', async () => {
    expect(await codeOf(() => stepTo(at(38), at(36), at(3)))).toBe('history.answer');
    expect(await codeOf(() => stepTo(at(38), at(nextOf(38, 3), forkOf(chain, 2)), at(3)))).toBe('history.answer');
    expect(stepTo(at(38), at(nextOf(38, 3)), at(3))).toEqual({ over: false, findings: [] });
  });

  it('ends at a header that is out of its place, whoever named it', () => {
    for (const change of [{ number: 20 }, { epoch: 2 }]) {
      const strange = linkTo({ ...at(skipOf(38)).payload, ...change });
      const naming = linkTo({ ...at(38).payload, skip: strange.digest });
      expect(stepTo(naming, strange, at(3))).toMatchObject({
        over: true,
        findings: [{ code: 'history.fork', earlier: strange, later: naming }],
      });
    }
  });

  it('sees what shrank on the way', () => {
    const wavy = chainOf(70, (number) => (number === 62 ? { members: { size: 9999, root: sha256Hex('many') } } : {}));
    expect(walk(at(69, wavy), at(2, wavy), wavy)).toContain('history.shrink');
  });
});

describe('a checkpoint as it is kept', () => {
  const key = keyNamed('checkpoints');
  const keys = new Map([[key.kid, key.jwk]]);

  it('is opened by the keys of its role, and read again as it was', async () => {
    const { payload, digest } = at(12);
    const link = await openLink(await signCompact(payload, 'cordon-checkpoint+jws', key), keys);
    expect([link.payload, link.digest]).toEqual([payload, digest]);
    expect(readKeptLink(link.jws)).toEqual(link);
    expect(await codeOf(() => openLink(link.jws, new Map()))).toBe('jws.key');
    expect(await codeOf(async () => openLink(await signCompact({ ...payload, more: 1 }, 'cordon-checkpoint+jws', key), keys))).toBe(
      'checkpoint.schema',
    );
    expect(await codeOf(async () => openLink(await signCompact(payload, 'cordon-head+jws', key), keys))).toBe('jws.typ');
  });

  it.each(['number', 'skip', 'previous', 'audit'] as const)('has its %s', async (name) => {
    const { [name]: _left, ...rest } = at(12).payload;
    expect(await codeOf(async () => openLink(await signCompact(rest, 'cordon-checkpoint+jws', key), keys))).toBe('checkpoint.schema');
    expect(readKeptLink(linkTo(rest as CheckpointPayload).jws)).toBeUndefined();
  });
});
