import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitrarySystem, effectiveOf } from '../_arbitrary-policy.ts';
import { LAW_RUNS, LAW_TIMEOUT_MS } from '../_laws.ts';
import { createDecider, type Decider } from '../decide/decider.ts';
import { RIGHTS, type Verdict } from '../effective.ts';
import { enclose } from '../enclosure.ts';
import { sampledGains, someNetworkPair, somePair, somePlacesPair } from './_pairs.ts';
import { deltaOf, narrows } from './delta.ts';
import type { DeltaEntry } from './entry.ts';

const pairs = fc.oneof(somePair, somePlacesPair, someNetworkPair);
const law = { numRuns: LAW_RUNS };

/** What a decider says of the access that an entry is about; undefined for what it is not asked. */
const verdictOf = (decider: Decider, { category, target, detail }: DeltaEntry): Verdict | undefined => {
  if (category === 'filesystem.write') return decider.path(target, 'write').verdict;
  if (category === 'filesystem.read' || category === 'filesystem.credentials') return decider.path(target, 'read').verdict;
  if (category === 'environment') return decider.variable(target).verdict;
  const right = category === 'required' ? undefined : RIGHTS.find((one) => one === target);
  if (right !== undefined) return decider.right(right).verdict;
  if (category !== 'network.host' || detail.includes('plain HTTP') || detail.startsWith('reachable at private')) return undefined;
  // `*.x:443,80`, `name:* but 22`: one name and one port of it.
  const [, pattern = '', ports = ''] = /^(.*):(.*)$/.exec(target) ?? [];
  return decider.host(pattern.replace(/^\*/, 'zz.law'), ports.startsWith('*') ? 4444 : Number(ports.split(',')[0])).verdict;
};

describe('a delta', () => {
  it(
    'tells a gain wherever a sampled access finds one, and says that nothing is gained only where none does',
    () => {
      fc.assert(
        fc.property(pairs, arbitrarySystem, fc.constantFrom('proven' as const, 'claimed' as const), ([a, b], os, proof) => {
          const agent = { id: 'claude-code', proof };
          const [before, after] = [effectiveOf(a, os, agent), effectiveOf(b, os, agent)];
          const sampled = sampledGains(before, after);
          if (narrows(before, after) === 'yes') expect(sampled).toEqual([]);
          if (sampled.length > 0) expect(deltaOf(before, after).gained).not.toEqual([]);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS,
  );

  it(
    'tells no gain that is none: each place, right and name is allowed after and was not before',
    () => {
      fc.assert(
        fc.property(pairs, arbitrarySystem, ([a, b], os) => {
          const [before, after] = [createDecider(effectiveOf(a, os)), createDecider(effectiveOf(b, os))];
          for (const entry of deltaOf(before.effective, after.effective).gained) {
            const verdicts = [before, after].flatMap((decider) => verdictOf(decider, entry) ?? []);
            if (verdicts.length > 0) expect({ entry, verdicts }).toEqual({ entry, verdicts: ['denied', 'allowed'] });
          }
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS,
  );

  it(
    'is told the other way round when the sides are changed, and is empty between equals',
    () => {
      fc.assert(
        fc.property(pairs, arbitrarySystem, ([a, b], os) => {
          const [before, after] = [effectiveOf(a, os), effectiveOf(b, os)];
          const plain = (entries: readonly DeltaEntry[]): string[] =>
            entries.map(({ category, target, by }) => `${category} ${target} ${by?.rule ?? ''}`).sort();
          const [there, back] = [deltaOf(before, after), deltaOf(after, before)];
          expect(plain(there.lost)).toEqual(plain(back.gained));
          expect(deltaOf(before, before)).toEqual({ gained: [], lost: [] });
          expect(deltaOf(effectiveOf(a.toReversed(), os), after)).toEqual(there);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS,
  );

  it(
    'finds nothing that a run inside another has and its own policies, or its parent, do not give',
    () => {
      fc.assert(
        fc.property(pairs, arbitrarySystem, ([a, b], os) => {
          const [parent, child] = [effectiveOf(a, os), effectiveOf(b, os)];
          const enclosed = enclose(child, parent);
          expect(narrows(child, enclosed)).toBe('yes');
          // The working directory is the child's own; what it may do there is not.
          expect(deltaOf(parent, enclosed).gained.filter(({ category }) => category !== 'workspace')).toEqual([]);
        }),
        law,
      );
    },
    LAW_TIMEOUT_MS,
  );
});
