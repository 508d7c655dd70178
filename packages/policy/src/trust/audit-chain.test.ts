import { LAW_RUNS } from '../_laws.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryHash, firstBroken, GENESIS, type AuditFacts, type ChainedEntry } from './audit-chain.ts';

const facts: fc.Arbitrary<Omit<AuditFacts, 'seq'>> = fc.record({
  at: fc.date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
  actor: fc.string({ unit: 'grapheme', maxLength: 20 }),
  action: fc.string({ unit: 'grapheme', maxLength: 20 }),
  subject: fc.string({ unit: 'grapheme', maxLength: 20 }),
  detail: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), fc.jsonValue({ maxDepth: 2, stringUnit: 'grapheme' }), {
    maxKeys: 4,
  }),
});
const chain = (all: readonly Omit<AuditFacts, 'seq'>[], from = 1, previous = GENESIS): ChainedEntry[] => {
  let prevHash = previous;
  return all.map((one, i) => {
    const entry = { ...one, seq: from + i };
    const hash = entryHash(prevHash, entry);
    const chained = { ...entry, prevHash, hash };
    prevHash = hash;
    return chained;
  });
};
const chains = fc.array(facts, { minLength: 2, maxLength: 8 }).map((all) => chain(all));
const law = <T extends [unknown, ...unknown[]]>(
  name: string,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...args: T) => void,
): void =>
  it(name, () =>
    fc.assert(
      fc.property(fc.tuple<T>(...arbitraries), (args) => holds(...args)),
      { numRuns: LAW_RUNS },
    ),
  );

describe('the audit chain', () => {
  law('is whole as it was made, and so is every stretch of it', [chains, fc.nat(), fc.nat()], (entries, a, b) => {
    expect(firstBroken(entries)).toBeUndefined();
    const [from, to] = [a % entries.length, b % entries.length].sort((x, y) => x - y) as [number, number];
    expect(firstBroken(entries.slice(from, to + 1), entries[from - 1]?.hash ?? GENESIS)).toBeUndefined();
  });

  law('shows a change of any entry, at that entry', [chains, fc.nat(), facts], (entries, which, other) => {
    const at = which % entries.length;
    const entry = entries[at] as ChainedEntry;
    const changed = { ...entry, ...other };
    if (entryHash(entry.prevHash, changed) === entry.hash) return; // the same facts again
    expect(firstBroken(entries.with(at, changed))?.seq).toBe(entry.seq);
  });

  law('shows a changed entry whose hash was made anew, at the one that follows it', [chains, fc.nat(), facts], (entries, which, other) => {
    const at = which % (entries.length - 1);
    const entry = entries[at] as ChainedEntry;
    const changed = { ...entry, ...other };
    const hash = entryHash(entry.prevHash, changed);
    if (hash === entry.hash) return;
    expect(firstBroken(entries.with(at, { ...changed, hash }))?.seq).toBe(entry.seq + 1);
  });

  law('shows an entry that is left out, at the one that followed it', [chains, fc.nat()], (entries, which) => {
    const at = which % (entries.length - 1);
    expect(firstBroken(entries.toSpliced(at, 1))).toBe(entries[at + 1]);
  });

  law('shows an entry that is put in between, there', [chains, fc.nat(), facts], (entries, which, other) => {
    const at = which % entries.length;
    const before = entries[at - 1];
    const [forged] = chain([other], (before?.seq ?? 0) + 1, before?.hash ?? GENESIS) as [ChainedEntry];
    if (forged.hash === entries[at]?.hash) return;
    // It fits where it stands, so the next one does not.
    expect(firstBroken(entries.toSpliced(at, 0, forged))).toBe(entries[at]);
  });

  law('shows entries in another order, at the first that moved', [chains, fc.nat(), fc.nat()], (entries, a, b) => {
    const [i, j] = [a % entries.length, b % entries.length].sort((x, y) => x - y) as [number, number];
    if (i === j) return;
    const turned = entries.with(i, entries[j] as ChainedEntry).with(j, entries[i] as ChainedEntry);
    expect(firstBroken(turned)).toBe(turned[i]);
  });

  law('has one hash for one meaning: the order of members in a detail does not count', [facts], (one) => {
    const turned = Object.fromEntries(Object.entries(one.detail as object).reverse());
    expect(entryHash(GENESIS, { ...one, seq: 1, detail: turned })).toBe(entryHash(GENESIS, { ...one, seq: 1 }));
  });

  it('cannot be cut at its end unseen by who knows its head', () => {
    const entries = chain(Array.from({ length: 5 }, (_, i) => ({ at: new Date(i), actor: 'a', action: 'b', subject: 'c', detail: {} })));
    // The chain alone does not show it: every checkpoint carries the head for this.
    expect(firstBroken(entries.slice(0, 3))).toBeUndefined();
    expect(entries.slice(0, 3).at(-1)?.hash).not.toBe(entries.at(-1)?.hash);
  });
});
