import { describe, expect, it } from 'vitest';
import { applied, documentOf } from '../_small-world.ts';
import { preparePolicy } from './prepare.ts';
import { ruleId } from './rules.ts';

describe('the id of a rule', () => {
  it('is the same in every revision that contains it unchanged, wherever it stands', () => {
    const ids = (read: string[], revision: number): Map<string, string> =>
      new Map(
        preparePolicy({ ...applied(1, documentOf('p', { allow: { filesystem: { read } } })), revision }).allowedPaths.map(
          ({ template, origin }) => [JSON.stringify(template), origin.rule],
        ),
      );
    const [before, after] = [ids(['/a', '/b'], 1), ids(['/c', '/b', '/a'], 2)];
    for (const [rule, id] of before) expect(after.get(rule)).toBe(id);
  });

  it('differs for another policy, verb, section or content', () => {
    const ids = [
      ruleId('p', 'allow', 's', 'x'),
      ruleId('q', 'allow', 's', 'x'),
      ruleId('p', 'deny', 's', 'x'),
      ruleId('p', 'allow', 't', 'x'),
      ruleId('p', 'allow', 's', 'y'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^r_[0-9a-f]{12}$/);
  });
});
