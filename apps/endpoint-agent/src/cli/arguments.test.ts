import { describe, expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';

const known = { options: ['agent', 'user'], flags: ['json'] };
const parse = (...args: string[]): { options: object; flags: string[]; words: readonly string[]; rest: readonly string[] } => {
  const { options, flags, words, rest } = parseArguments(args, known);
  return { options: Object.fromEntries(options), flags: [...flags], words, rest };
};

describe('parseArguments', () => {
  it('tells options, flags, words and the rest apart', () => {
    expect(parse('--agent', 'codex', 'word', '--json', '--', '--agent', '-x', '--')).toEqual({
      options: { agent: 'codex' },
      flags: ['json'],
      words: ['word'],
      rest: ['--agent', '-x', '--'],
    });
    expect(parse()).toEqual({ options: {}, flags: [], words: [], rest: [] });
    expect(parse('--agent', '--json')).toMatchObject({ options: { agent: '--json' }, flags: [] });
  });

  it('refuses what it does not know, and an option without its value', () => {
    for (const args of [['--unknown'], ['--agent'], ['--agent', '--'], ['--json=1'], ['---agent', 'x']])
      expect(() => parse(...args), args.join(' ')).toThrow(expect.objectContaining({ code: 'cli.usage' }));
  });
});
