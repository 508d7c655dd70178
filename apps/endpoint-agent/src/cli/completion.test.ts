import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bashCompletion } from './completion/bash.ts';
import { fishCompletion } from './completion/fish.ts';
import { zshCompletion } from './completion/zsh.ts';
import { COMMANDS } from './table.ts';
import type { Command } from './table/command.ts';

const offered = COMMANDS.filter(({ plumbing }) => plumbing !== true);
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-completion-'));
  fs.writeFileSync(path.join(folder, 'completion.bash'), bashCompletion());
  fs.writeFileSync(path.join(folder, 'policy.yaml'), '');
  fs.mkdirSync(path.join(folder, 'sub folder'));
  // What cordon runs prints, as bash asks it.
  fs.writeFileSync(path.join(folder, 'cordon'), '#!/bin/sh\n[ "$1" = runs ] && echo "2026-03-01T12:00:00.000Z  run_one  status 0"\n', {
    mode: 0o755,
  });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Every line at once: a bash for each would take a minute. */
const complete = (lines: readonly (readonly string[])[]): string[][] => {
  const script = lines
    .map((words) => {
      const all = ['cordon', ...words].map((word) => `'${word}'`).join(' ');
      return `COMP_WORDS=(${all}); COMP_CWORD=${words.length}; _cordon; printf '%s\\n' "\${COMPREPLY[@]}" ---`;
    })
    .join('\n');
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', `source ./completion.bash\n${script}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${folder}:/usr/bin:/bin` },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout
    .split('---\n')
    .slice(0, -1)
    .map((text) => text.split('\n').filter((word) => word !== ''));
};
const completed = (...words: string[]): string[] => complete([words])[0] ?? [];
const wordsOf = ({ name }: Command): string[] => name.split(' ');

describe.runIf(has('bash'))('in a real bash', () => {
  it('every command can be reached, word by word', () => {
    const first = completed('');
    for (const command of offered) expect(first).toContain(wordsOf(command)[0]);
    expect(first).not.toContain('json-check');
    const second = complete(offered.map((command) => [...wordsOf(command).slice(0, 1), '']));
    offered.forEach((command, i) => {
      const [, verb] = wordsOf(command);
      if (verb !== undefined) expect(second[i]).toContain(verb);
    });
    expect(completed('pol')).toEqual(['policy']);
    expect(completed('policy', 'd')).toEqual(['diff']);
    expect(completed('help', 'stat')).toEqual(['status']);
  });

  it('every option of every command is offered, and no other', () => {
    const found = complete(offered.map((command) => [...wordsOf(command), '--']));
    offered.forEach(({ options }, i) =>
      expect([...(found[i] ?? [])].sort()).toEqual([...options.map(({ name }) => `--${name}`), '--help'].sort()),
    );
  });

  it('words are completed by what they are: files, folders, shells, systems, runs', () => {
    expect(completed('policy', 'check', 'pol')).toEqual(['policy.yaml']);
    expect(completed('policy', 'check', 'sub')).toEqual(['sub folder']);
    expect(completed('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(completed('policy', 'diff', '--os', 'w')).toEqual(['windows']);
    expect(completed('explain', '')).toEqual(['run_one']);
    expect(completed('logs', '--follow', 'run_')).toEqual(['run_one']);
    expect(completed('run', '--user', 'roo')).toContain('root');
    expect(completed('run', '--agent', '')).toEqual([]);
  });

  it('after -- come a command and its words', () => {
    expect(completed('run', '--', 'bas')).toContain('bash');
    expect(completed('run', '--', 'cat', 'pol')).toEqual(['policy.yaml']);
  });
});

describe('every script', () => {
  it.each([
    ['bash', bashCompletion()],
    ['zsh', zshCompletion()],
    ['fish', fishCompletion()],
  ])('for %s knows every command and option, and is one that it takes', (shell, script) => {
    for (const { name, options } of offered) {
      for (const word of name.split(' ')) expect(script).toContain(word);
      for (const option of options) expect(script).toContain(option.name);
    }
    if (!has(shell)) return;
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
