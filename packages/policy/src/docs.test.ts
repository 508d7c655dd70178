import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDecider, type Decider } from './decide/decider.ts';
import { parsePolicy } from './document/parse.ts';
import { preparePolicy } from './document/prepare.ts';
import { RIGHTS, type PathVariables, type Subject, type Verdict } from './effective.ts';
import { resolve } from './resolve.ts';

const page = fs.readFileSync(path.join(import.meta.dirname, '../../../docs/policy-language.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind = '', text = '']) => ({ kind, text }));
const variables: PathVariables = {
  home: '/home/u',
  workspace: '/home/u/src/app',
  tmp: '/tmp',
  tools: ['/opt', '/usr/local'],
  agent: ['/home/u/.claude'],
};

/** `claimed codex` and the like; a proven claude-code when nothing is said. */
const subjectOf = (text: string): Subject => {
  const [proof = 'proven', id = 'claude-code'] = text.trim() === '' ? [] : text.trim().split(' ');
  return { agent: { id, proof: proof === 'claimed' ? 'claimed' : 'proven' }, user: 'u', os: 'linux' };
};

const ask = (decider: Decider, kind: string, what: string): Verdict | undefined => {
  const [, host = '', port] = /^(\S+):(\d+)/.exec(what.replace(/^[A-Z]+ /, '')) ?? [];
  switch (kind) {
    case 'read':
    case 'write':
      return decider.path(what, kind).verdict;
    case 'host':
      return decider.host(host, Number(port)).verdict;
    case 'http': {
      const [method = '', , target = ''] = what.split(' ');
      return decider.host(host, Number(port), { method, path: target }).verdict;
    }
    case 'env':
      return decider.variable(what).verdict;
    case 'right': {
      const right = RIGHTS.find((known) => known === what);
      return right === undefined ? undefined : decider.right(right).verdict;
    }
    default:
      return undefined;
  }
};

/** Each answer with the policy that stands above it. */
const answers = blocks.flatMap(({ kind, text }, i) => {
  if (kind !== 'answers') return [];
  const yaml = blocks.slice(0, i).findLast((block) => block.kind === 'yaml')?.text ?? '';
  return text
    .trim()
    .split('\n')
    .map((line) => ({ line, yaml }));
});

describe('the page that teaches the language', () => {
  it('has examples, and only of kinds that are tested', () => {
    expect(blocks.filter(({ kind }) => kind === 'yaml').length).toBeGreaterThanOrEqual(8);
    expect(answers.length).toBeGreaterThanOrEqual(40);
    expect(new Set(blocks.map(({ kind }) => kind))).toEqual(new Set(['yaml', 'answers']));
  });

  it('has only valid policies', () => {
    for (const { kind, text } of blocks) if (kind === 'yaml') expect(() => parsePolicy(text)).not.toThrow();
  });

  it.each(answers)('$line', ({ line, yaml }) => {
    const [, kind = '', what = '', verdict, who = ''] = /^(\w+)\s+(.+?)\s+(allowed|denied)(.*)$/.exec(line) ?? [];
    const { document } = parsePolicy(yaml);
    const policies = [preparePolicy({ policy: 'pol_doc', name: document.metadata.name, revision: 1, document, because: [] })];
    const decider = createDecider(resolve({ policies, floor: undefined, subject: subjectOf(who), variables }));
    expect(ask(decider, kind, what)).toBe(verdict);
  });
});
