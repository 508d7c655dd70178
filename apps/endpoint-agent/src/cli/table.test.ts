import { describe, expect, it } from 'vitest';
import { commandHelp, generalHelp, groupHelp } from './help.ts';
import { argumentsOf, COMMANDS, commandNamed } from './table.ts';
import { findIn, usageOf } from './table/command.ts';

describe('the table of commands', () => {
  it('has every command once, and what it loads is there', async () => {
    const names = COMMANDS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const command of COMMANDS) expect(await command.load(), command.name).toBeTypeOf('function');
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))('says what %s is for, in words that fit a line', (name, command) => {
    expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*(?: [a-z-]+)?$/);
    expect(command.summary).toMatch(/^[^.]{8,72}$/);
    expect(command.about.length).toBeGreaterThan(0);
    for (const { name: option, help, value } of command.options) {
      expect(option).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
      expect(help.length).toBeGreaterThan(8);
      if (value !== undefined) expect(value).toMatch(/^[A-Z:]+$/);
    }
    const help = commandHelp(command);
    expect(help).toContain(usageOf(command).split(' [')[0]);
    expect(Math.max(...help.split('\n').map(({ length }) => length))).toBeLessThan(130);
  });

  it.each(COMMANDS.map(({ name }) => [name]))('%s takes its own options and no others', (name) => {
    const { options } = commandNamed(name);
    const words = options.flatMap(({ name: option, value }) => [`--${option}`, ...(value === undefined ? [] : ['x'])]);
    const given = argumentsOf(name, words);
    expect([...given.options.keys(), ...given.flags].sort()).toEqual(options.map((option) => option.name).sort());
    expect(() => argumentsOf(name, [...words, '--frobnicate'])).toThrow(expect.objectContaining({ code: 'cli.usage' }));
  });

  it('every command that answers can answer as JSON, errors included', () => {
    // These print scripts and pages, or are another program's output, or answer in JSON as it is.
    const others = ['run', 'learn', 'daemon', 'completion', 'man', 'json-check', 'key-check', 'proof-check'];
    for (const { name, options } of COMMANDS)
      expect(`${name} ${options.some((option) => option.name === 'json')}`).toBe(`${name} ${!others.includes(name)}`);
  });

  it('finds a command by one word or by two', () => {
    expect(findIn(COMMANDS, ['policy', 'check', 'a'])).toMatchObject({ command: { name: 'policy check' }, args: ['a'] });
    expect(findIn(COMMANDS, ['run', '--', 'policy', 'check'])).toMatchObject({ command: { name: 'run' }, args: ['--', 'policy', 'check'] });
    expect([findIn(COMMANDS, []), findIn(COMMANDS, ['policy']), findIn(COMMANDS, ['policy check'])]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is what the help is made of', () => {
    const help = generalHelp();
    for (const { name, summary, plumbing } of COMMANDS)
      expect(
        help
          .split('\n')
          .some((line) => (plumbing === true ? line.includes(name) : line.startsWith(`  cordon ${name} `) && line.endsWith(summary))),
      ).toBe(true);
    expect(groupHelp('policy').split('\n')).toHaveLength(3);
    expect(groupHelp('run')).toBe('');
  });
});
