import { describe, expect, it } from 'vitest';
import { canonicalUrlPath, hasPrefix } from './url-path.ts';

describe('a request path', () => {
  it.each(['/', '/api/v1', '/a%20b', '/x?y=../..', '/a_b~c-d.e'])('takes %j without its query', (text) =>
    expect(canonicalUrlPath(text)).toBe(text.split('?')[0]),
  );

  it.each([
    '',
    'api',
    '/a/../b',
    '/a/./b',
    '/..',
    '//a',
    '/a//b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%2e%2e/b',
    '/a%252e',
    '/a\\b',
    '/a;b',
    '/a%00',
    '/a%0d',
    '/%61dmin',
    '/a b',
    '/\u00e9',
    '/a%',
    '/a%zz',
    '/a#b',
    '/a%3bb',
  ])('refuses %j, which servers read differently', (text) =>
    expect(() => canonicalUrlPath(text)).toThrow(expect.objectContaining({ code: 'url.path' })),
  );

  it('lies below a prefix by whole segments', () => {
    expect(hasPrefix('/api', '/api')).toBe(true);
    expect(hasPrefix('/api/x', '/api')).toBe(true);
    expect(hasPrefix('/apis', '/api')).toBe(false);
    expect(hasPrefix('/api/x', '/api/')).toBe(true);
    expect(hasPrefix('/api', '/api/')).toBe(false);
    expect(hasPrefix('/anything', '/')).toBe(true);
  });
});
