/** Texts that are no policy, or are made to break or stall a parser: errors with their places, and not too many. */
import { describe, expect, it } from 'vitest';
import { PolicyErrors, type PolicyIssue } from './issues.ts';
import { parsePolicy } from './parse.ts';

const issuesOf = (text: string): readonly PolicyIssue[] => {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof PolicyErrors) return error.issues;
    throw error;
  }
  return [];
};
const HEAD = 'apiVersion: cordon/v1\nkind: ContainmentPolicy\nmetadata: { name: x }\n';
const MOST = 65_536;
const fill = (line: (i: number) => string): string => {
  let text = '';
  for (let i = 0; text.length < MOST - 64; i += 1) text += line(i);
  return text;
};

describe('a text that is no policy', () => {
  it.each(['', 'null', '# only a comment', '[]', 'text', '7'])('%j is one error about the whole', (text) => {
    expect(issuesOf(text)).toMatchObject([{ code: 'policy.value', pointer: '', line: 1, column: 1 }]);
  });

  it.each([1, 7, 8, 9, 50])('%i unknown keys in one place are as many errors, each with its place', (count) => {
    const keys = Array.from({ length: count }, (_, i) => `unknown${i}`);
    const issues = issuesOf(`${HEAD}spec: {}\n${keys.map((key) => `${key}: 1\n`).join('')}`);
    expect(issues.map(({ code, pointer, line, column }) => ({ code, pointer, line, column }))).toEqual(
      keys.map((key, i) => ({ code: 'policy.unknown-key', pointer: `/${key}`, line: 5 + i, column: 1 })),
    );
  });

  it('a key that stands twice is an error where it stands again, in YAML and in JSON', () => {
    expect(issuesOf(`${HEAD}spec: { mode: audit, mode: enforce }\nkind: ContainmentPolicy\n`)).toMatchObject([
      { code: 'policy.syntax', line: 4, column: 22 },
      { code: 'policy.syntax', line: 5, column: 1 },
    ]);
    expect(issuesOf('{"kind": 1, "\\u006bind": 2}')).toMatchObject([{ code: 'policy.syntax', line: 1, column: 13 }]);
  });
});

describe('a text that is made to stall a parser is refused with a bounded number of errors', () => {
  it.each([
    ['keys of one map', fill((i) => `k${i.toString(36)}:\n`)],
    ['keys of one map in one line', `{${fill((i) => `k${i.toString(36)},`)}}`],
    ['unknown keys', `${HEAD}spec: {}\n${fill((i) => `k${i.toString(36)}:\n`).slice(0, MOST - 128)}`],
    ['brackets', fill(() => '[')],
    ['braces', fill(() => '{a: ')],
    ['dashes', fill(() => '- ')],
    ['anchors', fill(() => '&a ')],
    ['tags', fill(() => '!a ')],
    ['documents', fill(() => '---\n')],
    ['directives', fill(() => '%\n')],
    ['escapes', fill(() => '"\\x" ')],
  ])('%s', (_, text) => {
    const issues = issuesOf(text);
    expect(issues.length).toBeGreaterThan(0);
    expect(issues.length).toBeLessThan(200);
  });
});
