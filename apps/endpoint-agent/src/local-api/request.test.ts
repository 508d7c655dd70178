import { describe, expect, it } from 'vitest';
import { parseRequest } from './request.ts';

const parse = (value: unknown): unknown => {
  try {
    return parseRequest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('parseRequest', () => {
  it.each([
    { op: 'run', argv: ['true'], cwd: '/' },
    { op: 'run', argv: ['', 'a\nb', "it's"], cwd: '/work', agent: 'claude-code', user: 'dev' },
    { op: 'why', target: 'a.example:443', access: 'read', cwd: '/work' },
    { op: 'status' },
    { op: 'environment', values: { LANG: 'C' } },
    { op: 'signal', signal: 'terminate' },
  ])('understands %j', (request) => expect(parse(request)).toEqual(request));

  it.each([
    ['not JSON', '{'],
    ['no object', []],
    ['no operation', {}],
    ['an unknown operation', { op: 'stop' }],
    ['more than it should have', { op: 'status', user: 'root' }],
    ['no command', { op: 'run', argv: [], cwd: '/' }],
    ['a null byte in an argument', { op: 'run', argv: ['a\0b'], cwd: '/' }],
    ['a null byte in a value', { op: 'environment', values: { LANG: 'C\0' } }],
    ['an argument that is no text', { op: 'run', argv: [1], cwd: '/' }],
    ['a relative directory', { op: 'run', argv: ['true'], cwd: 'work' }],
    ['an agent that is no id', { op: 'run', argv: ['true'], cwd: '/', agent: '../x' }],
    ['an unknown signal', { op: 'signal', signal: 'KILL' }],
    ['an unknown access', { op: 'why', target: '/x', access: 'execute', cwd: '/' }],
    ['too many arguments', { op: 'run', argv: Array.from({ length: 5000 }, () => 'x'), cwd: '/' }],
  ])('refuses %s', (_name, value) => expect(parse(value)).toBe('local.request'));
});
