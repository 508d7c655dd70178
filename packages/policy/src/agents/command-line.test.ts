import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { runsScripts, toRun } from './command-line.ts';

const run = (line: string): string | undefined => {
  const argv = line.split(' ');
  const what = toRun(argv[0] ?? '', argv);
  return what === undefined ? undefined : what.kind === 'script' ? what.path : `module ${what.name}`;
};

describe('what an interpreter runs', () => {
  it.each([
    ['node cli.js -p hello', 'cli.js'],
    ['node --import evil.js /opt/agent/cli.js', '/opt/agent/cli.js'],
    ['node --require=./x.js -r y.js --max-old-space-size=4096 cli.js', 'cli.js'],
    ['node --enable-source-maps -- -odd-name.js', '-odd-name.js'],
    ['node inspect cli.js', 'cli.js'],
    ['bun run index.ts', 'index.ts'],
    ['bun index.ts run', 'index.ts'],
    ['deno run -A --config deno.json agent.ts', 'agent.ts'],
    ['python3.12 -u -W ignore agent.py', 'agent.py'],
    ['python3 -m aider --model x', 'module aider'],
    ['python -X utf8 -m hermes_cli.main', 'module hermes_cli.main'],
  ])('%s: %s', (line, what) => {
    expect(run(line)).toBe(what);
  });

  it.each([
    'node -e code cli.js',
    'node --eval code',
    'node',
    'python3 -c code agent.py',
    'deno eval code',
    'node --version',
    'python3 -m',
    'node --',
  ])('%s: no file', (line) => {
    expect(run(line)).toBeUndefined();
  });

  it('is asked of interpreters alone: a name in arguments makes no other program an agent', () => {
    for (const line of ['vim cli.js', 'cat /usr/lib/node_modules/@openai/codex/bin/codex.js', 'bash cli.js'])
      expect(run(line)).toBeUndefined();
    expect(['node', 'bun', 'python3.13', 'pypy3'].every(runsScripts)).toBe(true);
    expect(['bash', 'sh', 'vim', 'node-like', 'mynode', ''].some(runsScripts)).toBe(false);
  });

  it('is one of the words that it was given, or nothing, whatever they are', () => {
    const word = fc.oneof(fc.string(), fc.constantFrom('-e', '-m', '-r', '--import', '--', 'run', 'inspect', '-W', ''));
    fc.assert(
      fc.property(fc.constantFrom('node', 'bun', 'deno', 'python3'), fc.array(word, { maxLength: 12 }), (name, words) => {
        const what = toRun(name, [name, ...words]);
        if (what !== undefined) expect(words).toContain(what.kind === 'script' ? what.path : what.name);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
