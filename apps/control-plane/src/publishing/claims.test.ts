import { describe, expect, it } from 'vitest';
import { Claims } from './claims.ts';

describe('the sets of open groups of a cohort', () => {
  it('are each of them once, and of no other cohort', () => {
    const claims = new Claims();
    for (const open of [['a'], ['a', 'b'], ['a'], []]) claims.note('one', open);
    claims.note('two', ['c']);
    expect(claims.of('one')).toHaveLength(3);
    expect(claims.of('three')).toEqual([]);
    expect([...claims.ofAll(['two', 'three'])]).toEqual([
      ['two', [['c']]],
      ['three', []],
    ]);
  });

  it('are those that were seen last, however many there were', () => {
    const claims = new Claims();
    for (let i = 0; i < 1000; i += 1) {
      claims.note('one', [`g${i}`]);
      claims.note('one', ['always']);
    }
    const sets = claims.of('one').map(([group]) => group);
    expect(sets).toHaveLength(256);
    expect(sets).toContain('always');
    expect(sets).toContain('g999');
    expect(sets).not.toContain('g0');
  });
});
