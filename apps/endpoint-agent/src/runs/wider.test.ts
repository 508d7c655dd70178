import { describe, expect, it } from 'vitest';
import { widerAt } from './wider.ts';

type Mounts = Parameters<typeof widerAt>[0];
const mounts = (readwritePaths: string[] = [], readonlyPaths: string[] = [], deniedPaths: string[] = []): Mounts => ({
  readonlyPaths,
  readwritePaths,
  deniedPaths,
});
const usual = mounts(['/proj'], ['/srv/notes', '/proj/.git/hooks'], ['/srv/notes/private']);

describe('widerAt', () => {
  it('finds nothing where both are the same, or the new one gives more', () => {
    expect(widerAt(usual, usual)).toBe(undefined);
    expect(widerAt(usual, mounts(['/proj', '/more'], ['/srv']))).toBe(undefined);
    expect(widerAt(mounts(), usual)).toBe(undefined);
    expect(widerAt(mounts(['/proj/sub']), mounts(['/proj']))).toBe(undefined);
  });

  it.each([
    ['a grant that is gone', mounts(['/proj'], ['/proj/.git/hooks'], ['/srv/notes/private']), '/srv/notes'],
    ['a grant that became read-only', mounts([], ['/proj', '/srv/notes', '/proj/.git/hooks'], ['/srv/notes/private']), '/proj'],
    [
      'a new deny inside a grant',
      mounts(['/proj'], ['/srv/notes', '/proj/.git/hooks'], ['/srv/notes/private', '/proj/secrets']),
      '/proj/secrets',
    ],
    [
      'a new read-only place inside a grant',
      mounts(['/proj'], ['/srv/notes', '/proj/.git/hooks', '/proj/.vscode'], ['/srv/notes/private']),
      '/proj/.vscode',
    ],
    ['a deny over everything', mounts(['/proj'], ['/srv/notes', '/proj/.git/hooks'], ['/srv/notes/private', '/proj']), '/proj'],
  ])('%s', (_name, may, at) => expect(widerAt(usual, may)).toBe(at));

  it('a smaller grant inside a larger one is less', () => {
    expect(widerAt(mounts(['/proj']), mounts(['/proj/sub']))).toBe('/proj');
  });
});
