/** Grants on one machine, by example. */
import { describe, expect, it } from 'vitest';
import type { Grants } from './grants.ts';
import { foldersAbove, onHost, withoutHolders } from './on-host.ts';
import { outermost, Places } from './places.ts';

const HOST = { exists: () => true, isDirectory: () => true, installation: [] };
const grants = (change: Partial<Grants>): Grants => ({ read: [], write: [], hidden: [], readOnly: [], shadowed: [], ...change });

describe('folders above a guarded place', () => {
  it.each([
    ['/w/a/b/secret', ['/w'], ['/w/a/b', '/w/a']],
    ['/w/secret', ['/w'], []],
    ['/w', ['/w'], []],
    ['/other/a/b', ['/w'], []],
    ['/w/a/b/secret', ['/w', '/w/a'], ['/w/a/b']],
  ])('of %s, where %j is writable, are %j', (path, write, between) => {
    expect(foldersAbove(path, new Places(write, 'linux'), 'linux')).toEqual(between);
  });

  it('are found where names differ from the grant by case, and where folding changes their length', () => {
    expect(foldersAbove('/Straße/A/b', new Places(['/STRASSE'], 'macos'), 'macos')).toEqual(['/Straße/A']);
  });
});

describe('grants on a machine', () => {
  it('never make Cordon itself writable: a grant in it is read, and in a grant it is read-only', () => {
    const host = onHost(grants({ write: ['/opt', '/opt/cordon/state'] }), { ...HOST, installation: ['/opt/cordon'] }, 'linux');
    expect(host).toMatchObject({ read: ['/opt/cordon/state'], write: ['/opt'], readOnly: ['/opt/cordon'] });
  });

  it('leave out what is not there, and tell what would be guarded if it were', () => {
    const exists = (path: string): boolean => path === '/w';
    const host = onHost(grants({ read: ['/r'], write: ['/w'], hidden: ['/w/secret'], readOnly: ['/w/ci'] }), { ...HOST, exists }, 'linux');
    expect(host).toEqual({
      read: [],
      write: ['/w'],
      hidden: [],
      readOnly: [],
      missing: ['/r'],
      unguarded: { hidden: ['/w/secret'], readOnly: ['/w/ci'] },
    });
  });

  it('keep what is not there where rules are about names', () => {
    const host = onHost(grants({ read: ['/r'], write: ['/w'], hidden: ['/w/secret'] }), { ...HOST, exists: () => false }, 'macos', true);
    expect(host).toMatchObject({ read: ['/r'], write: ['/w'], hidden: ['/w/secret'], missing: [] });
  });
});

describe('grants without those that hold something hidden', () => {
  it('lose every grant around it, and what was protected only in them', () => {
    const host = onHost(
      grants({ read: ['/a'], write: ['/a/w', '/b'], hidden: ['/a/w/secret'], readOnly: ['/a/w/ci', '/b/ci'] }),
      HOST,
      'linux',
    );
    expect(withoutHolders(host, 'linux')).toEqual({ read: [], write: ['/b'], readOnly: ['/b/ci'], dropped: ['/a', '/a/w'], shown: [] });
  });

  it('lose them also for what is not there yet', () => {
    const host = onHost(grants({ write: ['/b'], hidden: ['/b/secret'] }), { ...HOST, exists: (path) => path === '/b' }, 'linux');
    expect(withoutHolders(host, 'linux').dropped).toEqual(['/b']);
  });

  it('tell of hidden places that no grant holds', () => {
    expect(withoutHolders(onHost(grants({ hidden: ['/etc/app'] }), HOST, 'linux'), 'linux').shown).toEqual(['/etc/app']);
  });
});

describe('outermost places', () => {
  it.each([
    [
      ['/a', '/a/b', '/a-b', '/ab', '/a'],
      ['/a-b', '/a', '/ab'],
    ],
    [
      ['/a/b/c', '/a/b', '/x'],
      ['/a/b', '/x'],
    ],
  ])('of %j are %j', (paths, expected) => {
    expect(outermost(paths, 'linux')).toEqual(expected);
  });

  it('are one for all spellings that the system takes for one', () => {
    expect(outermost(['C:\\Data', 'c:\\data\\x'.toUpperCase(), 'C:\\DATA'], 'windows')).toEqual(['C:\\Data']);
  });
});
