import { describe, expect, it } from 'vitest';
import type { PathVariables } from '../effective.ts';
import { expandPath, parsePathText } from './variables.ts';

const posix: PathVariables = { home: '/home/u', workspace: '/w', tmp: '/tmp', tools: ['/opt', '/usr/local'], agent: [] };
const windows: PathVariables = { home: 'C:\\Users\\u', workspace: undefined, tmp: 'C:\\T', tools: ['C:\\Tools'], agent: [] };

describe('a path of a policy', () => {
  it.each([
    ['${home}/.config', 'linux', ['/home/u/.config']],
    ['${home}\\.config', 'linux', ['/home/u/.config']],
    ['${tools}/bin/', 'linux', ['/opt/bin', '/usr/local/bin']],
    ['${agent}', 'linux', []],
    ['/srv/x', 'macos', ['/srv/x']],
    ['C:\\Data', 'linux', []],
    ['${home}', 'linux', ['/home/u']],
  ] as const)('%s is on %s %j', (text, os, places) => expect(expandPath(parsePathText(text), posix, os)).toEqual(places));

  it.each([
    ['${home}/AppData', ['C:\\Users\\u\\AppData']],
    ['${home}\\AppData', ['C:\\Users\\u\\AppData']],
    ['${workspace}/x', []],
    ['/srv/x', []],
    ['c:/Data/', ['C:\\Data']],
  ] as const)('%s is on windows %j', (text, places) => expect(expandPath(parsePathText(text), windows, 'windows')).toEqual(places));

  it('lies where the system looks for it when a home is the root, as that of many services is', () => {
    const roots: PathVariables = { ...posix, home: '/', tools: ['/'] };
    expect(expandPath(parsePathText('${home}/.ssh'), roots, 'linux')).toEqual(['/.ssh']);
    expect(expandPath(parsePathText('${home}/.ssh'), roots, 'macos')).toEqual(['/.ssh']);
    expect(expandPath(parsePathText('${home}'), roots, 'linux')).toEqual(['/']);
  });

  it('is one place on macOS, by whichever of its names it is called', () => {
    for (const text of ['/var/db', '/private/var/db', '/System/Volumes/Data/private/var/db'])
      expect(expandPath(parsePathText(text), posix, 'macos')).toEqual(['/private/var/db']);
  });
});
