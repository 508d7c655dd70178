import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { quote, runEnvironment, startScript } from './start-script.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((value) => value.replaceAll('\0', ''));
const shellish = fc
  .array(fc.constantFrom("'", '"', '\\', '$', '`', '(', ')', '\n', ' ', ';', '&', '|', '<', '>', '*', '#', '!', '-', '=', '~', 'a'), {
    maxLength: 20,
  })
  .map((parts) => parts.join(''));
const word = fc.oneof(text, shellish);

/** What a shell makes of a script, with one descriptor as the start line has it. */
const sh = (script: string): string[] => {
  const { stdout, status, stderr } = spawnSync('/bin/sh', ['-c', script], { env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\0').slice(0, -1);
};

describe('quote', () => {
  it('a shell reads back every word exactly', () => {
    // Many words in one shell: what is tried is the quoting.
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 200 }), (words) => {
        expect(sh(`printf '%s\\0' ${words.map(quote).join(' ')}`)).toEqual(words);
      }),
      { numRuns: Math.ceil(LAW_RUNS / 10) },
    );
  });
});

describe('startScript', () => {
  it('gives directory, environment and arguments exactly', () => {
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 20 }),
        fc.dictionary(fc.stringMatching(/^X[A-Za-z0-9_]{0,10}$/), word, { maxKeys: 10 }),
        (args, environment) => {
          const script = startScript({
            cwd: '/usr',
            environment,
            argv: ['sh', '-c', 'pwd | tr "\\n" "\\0"; for a do printf "%s\\0" "$a"; done; printf "end\\0"; env -0', 'sh', ...args],
          });
          const said = sh(script);
          expect(said[0]).toBe('/usr');
          expect(said.slice(1, args.length + 2)).toEqual([...args, 'end']);
          const seen = said.slice(args.length + 2).filter((line) => line.startsWith('X'));
          expect(seen.sort()).toEqual(
            Object.entries(environment)
              .map(([name, value]) => `${name}=${value}`)
              .sort(),
          );
        },
      ),
      { numRuns: Math.ceil(LAW_RUNS / 10) },
    );
  });

  it('replaces the shell, and keeps no descriptor of it', () => {
    const script = startScript({
      cwd: '/',
      environment: {},
      argv: ['sh', '-c', 'printf "%s\\0" "$PPID"; [ -e /proc/self/fd/8 ] || printf "closed\\0"'],
    });
    expect(sh(`exec 8</dev/null\n${script}`)[1]).toBe('closed');
  });

  it('says of a program that is not there what to do, and nothing of itself', () => {
    for (const program of ['nosuch-program', '/nowhere/program', '--', "it's", '\u001b[2J']) {
      const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', startScript({ cwd: '/', environment: {}, argv: [program, 'x'] })], {
        env: { PATH: '/usr/bin:/bin' },
        encoding: 'utf8',
      });
      expect({ status, stdout }).toEqual({ status: 127, stdout: '' });
      expect(stderr).toMatch(/^cordon: [^\n]+ is not there for this run: [^\n]+ \[launch\.program\]\n$/);
      expect(stderr).not.toContain('\u001b');
    }
  });

  it('ends with 126 where its directory is not there, and runs nothing', () => {
    const script = startScript({ cwd: '/nonexistent', environment: {}, argv: ['echo', 'ran'] });
    const { status, stdout } = spawnSync('/bin/sh', ['-c', script], { env: {}, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 126, stdout: '' });
  });

  it('starts nothing when the way out does not open', () => {
    const script = startScript({
      cwd: '/',
      environment: {},
      argv: ['echo', 'ran'],
      bridge: { socat: 'false', socket: '/nonexistent/proxy.sock' },
    });
    const { status, stdout } = spawnSync('/bin/sh', ['-c', script], { env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
  });
});

describe('runEnvironment', () => {
  it('the fixed set wins over everything that is passed on', () => {
    const user = { name: 'dev', home: '/home/dev' };
    const fixed = runEnvironment(user, {});
    const hostile = Object.fromEntries(Object.keys(fixed).map((name) => [name, 'evil']));
    expect(runEnvironment(user, { ...hostile, LANG: 'C' })).toEqual({ ...fixed, LANG: 'C' });
  });
});
