import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { CordonError } from '../errors.ts';
import { arbitraryFacts, arbitraryFilter, FIELDS, NOW } from './_arbitrary-filter.ts';
import { evaluate, type Facts, type Verdict } from './evaluate.ts';
import { fieldsOf, movesWithTime, type Filter } from './filter.ts';
import { parseFilter } from './parse.ts';
import { writeFilter } from './write.ts';

const runs = { numRuns: LAW_RUNS };
const ask = (text: string, facts: Facts): Verdict => evaluate(parseFilter(text, FIELDS), facts, FIELDS, NOW);
const holds = (filter: Filter, facts: Facts): Verdict => evaluate(filter, facts, FIELDS, NOW);
const refusal = (text: string): string => {
  try {
    parseFilter(text, FIELDS);
  } catch (error) {
    if (error instanceof CordonError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
};

describe('a filter', () => {
  it.each<readonly [text: string, facts: Facts, verdict: Verdict]>([
    ['os = linux', { os: 'linux' }, true],
    ['os != linux', { os: 'linux' }, false],
    ['os in (macos, windows)', { os: 'windows' }, true],
    ['os = linux and agentVersion >= 1.9', { os: 'linux', agentVersion: '1.10.2' }, true],
    ['agentVersion < 1.10', { agentVersion: '1.9.9' }, true],
    ['agentVersion = 1.2', { agentVersion: '1.2.0-rc.1' }, true],
    ['agentVersion > 1.2', { agentVersion: '1.2.0.1' }, true],
    ['lastSeen < now-7d', { lastSeen: NOW - 8 * 86_400_000 }, true],
    ['lastSeen < now-7d', { lastSeen: NOW - 6 * 86_400_000 }, false],
    ['lastSeen >= 2026-11-24', { lastSeen: NOW }, true],
    ['lastSeen >= 2026-11-24T12:00:01Z', { lastSeen: NOW }, false],
    ['name startsWith LAP', { name: 'laptop-7' }, true],
    ['name contains "top-"', { name: 'LapTop-7' }, true],
    ['name = "a \\"quoted\\" \\\\ name"', { name: String.raw`a "quoted" \ name` }, true],
    ['tags contains build', { tags: ['build', 'eu'] }, true],
    ['not tags contains build', { tags: ['eu'] }, true],
    ['count >= -2', { count: -2 }, true],
    ['pending = true', { pending: true }, true],
    ['os = linux or os = macos and count = 1', { os: 'linux', count: 2 }, true],
    ['(os = linux or os = macos) and count = 1', { os: 'linux', count: 2 }, false],
    ['OS = linux'.replace('OS', 'os').replace('=', ' = ').replace('linux', '"linux"'), { os: 'linux' }, true],
    ['os = linux AND NOT count IN (1, 2)', { os: 'linux', count: 3 }, true],
    // What is not known is neither true nor false.
    ['os = linux', {}, undefined],
    ['os != linux', {}, undefined],
    ['not os = linux', {}, undefined],
    ['os = linux or count = 1', { count: 1 }, true],
    ['os = linux and count = 1', { count: 2 }, false],
    ['os is unknown', {}, true],
    ['os is known', {}, false],
    ['tags contains build', { tags: [] }, false],
    ['agentVersion > 1', { agentVersion: 'nightly' }, undefined],
  ])('%s', (text, facts, verdict) => {
    expect(ask(text, facts)).toBe(verdict);
  });

  it.each([
    ['', 'filter.syntax column 1: expected a field, not the end of the filter'],
    ['os', 'filter.syntax column 3: expected an operator after os (=, !=, in, is), not the end of the filter'],
    ['oss = linux', 'filter.field column 1: there is no field "oss"; did you mean os?'],
    ['os = linus', 'filter.value column 6: "linus" is not one of linux, macos, windows; did you mean linux?'],
    ['os > linux', 'filter.operator column 4: ">" says nothing of os; for it there are =, !=, in and is'],
    ['os = linux os = macos', 'filter.syntax column 12: expected "and", "or" or the end, not "os"'],
    ['(os = linux', 'filter.syntax column 12: expected "and", "or" or ")", not the end of the filter'],
    ['os in linux', 'filter.syntax column 7: expected "(" and the values, not "linux"'],
    ['os is maybe', 'filter.syntax column 7: expected known or unknown, not "maybe"'],
    ['name = "abc', 'filter.syntax column 8: this text has no closing quote (within it, write \\" for a quote and \\\\ for a backslash)'],
    ['os ! linux', 'filter.syntax column 4: "!" is not understood here; write "!=" for other than, and put texts with signs into quotes'],
    ['lastSeen < 7d', 'filter.value column 12: "7d" is no time: write now-7d, now, 2026-01-31 or 2026-01-31T08:00Z (UTC)'],
    ['lastSeen < 2026-02-30', 'filter.value column 12: "2026-02-30" is no time: write now-7d, now, 2026-01-31 or 2026-01-31T08:00Z (UTC)'],
    ['count = 1e9', 'filter.value column 9: "1e9" is no number'],
    ['agentVersion = newest', 'filter.value column 16: "newest" is no version: write numbers with dots, as 1.20'],
    ['name = "a\u0000"', 'filter.syntax column 10: control characters and halves of characters are not understood'],
    ['name = "\uD83D"', 'filter.syntax column 9: control characters and halves of characters are not understood'],
    [
      'constructor = 1',
      'filter.field column 1: there is no field "constructor"; the fields are name, os, agentVersion, lastSeen, count, pending, tags',
    ],
  ])('%s is refused at its column', (text, said) => {
    expect(refusal(text)).toBe(said);
  });

  it('that is too long, too deep or asks too much is refused before it costs anything', () => {
    expect(refusal(`name = "${'a'.repeat(2000)}"`)).toContain('filter.too-long');
    expect(refusal(`${'('.repeat(40)}os = linux${')'.repeat(40)}`)).toContain('filter.too-many');
    expect(refusal(`${'not '.repeat(400)}os = linux`)).toContain('filter.too-many');
    expect(refusal(Array.from({ length: 101 }, () => 'count=1').join(' or '))).toContain('filter.too-many column 1101');
    expect(refusal(`count in (${Array.from({ length: 201 }, () => '1').join(',')})`)).toContain('filter.too-many');
  });

  it('never fails but by saying where and how', () => {
    const pieces = fc.constantFrom(
      'os',
      'name',
      '=',
      '!=',
      '(',
      ')',
      ',',
      'in',
      'is',
      'known',
      'and',
      'or',
      'not',
      '"',
      '\\',
      'linux',
      'now-1d',
      ' ',
      '\u{1F642}',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 60 }),
          fc.array(pieces, { maxLength: 30 }).map((some) => some.join(' ')),
        ),
        (text) => {
          const said = refusal(text);
          if (said !== 'accepted') expect(said).toMatch(/^filter\.[a-z-]+ column \d+: /);
        },
      ),
      runs,
    );
  });

  it('that is written down again is the same filter', () => {
    fc.assert(
      fc.property(arbitraryFilter, arbitraryFacts, (filter, facts) => {
        const again = parseFilter(writeFilter(filter), FIELDS);
        expect(holds(again, facts)).toBe(holds(filter, facts));
        expect(writeFilter(again)).toBe(writeFilter(filter));
      }),
      runs,
    );
  });

  it('decides nothing else when more becomes known', () => {
    fc.assert(
      fc.property(arbitraryFilter, arbitraryFacts, fc.constantFrom(...Object.keys(FIELDS)), (filter, facts, forgotten) => {
        const less = holds(filter, { ...facts, [forgotten]: undefined });
        // "is known" asks for just this.
        if (JSON.stringify(filter).includes('"known"')) return;
        if (less !== undefined) expect(holds(filter, facts)).toBe(less);
      }),
      runs,
    );
  });

  it('and its opposite divide what is known between them', () => {
    fc.assert(
      fc.property(arbitraryFilter, arbitraryFilter, arbitraryFacts, (a, b, facts) => {
        const not = (of: Filter): Filter => ({ kind: 'not', of });
        const [yes, no] = [holds(a, facts), holds(not(a), facts)];
        expect(no).toBe(yes === undefined ? undefined : !yes);
        expect(holds(not({ kind: 'and', parts: [a, b] }), facts)).toBe(holds({ kind: 'or', parts: [not(a), not(b)] }, facts));
      }),
      runs,
    );
  });

  it('says which fields it hangs on, and whether on the clock', () => {
    const filter = parseFilter('(os = linux or not name = x) and lastSeen > now-1h', FIELDS);
    expect([...fieldsOf(filter)]).toEqual(['os', 'name', 'lastSeen']);
    expect(movesWithTime(filter)).toBe(true);
    expect(movesWithTime(parseFilter('not lastSeen > 2026-01-01', FIELDS))).toBe(false);
  });
});
