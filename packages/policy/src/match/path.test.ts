import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import type { OperatingSystem } from '../effective.ts';
import { canonicalPath, folded, isWithin, lookUpwards } from './path.ts';

const SYSTEMS = ['linux', 'macos', 'windows'] as const;

/** Few names that are easily confused: prefixes of each other, other case, another Unicode form, spaces. */
const name = fc.constantFrom('a', 'ab', 'A', 'aB', '\u00e9', 'e\u0301', 'x y', '.hidden', 'dots..', 'a.b');
const segments = fc.array(name, { maxLength: 5 });
const textOf = (parts: readonly string[], os: OperatingSystem): string =>
  os === 'windows' ? `C:\\${parts.join('\\')}` : `/${parts.join('/')}`;
const usable = (parts: readonly string[], os: OperatingSystem): readonly string[] =>
  parts.filter((part) => os !== 'windows' || !/[. ]$/.test(part));

/** The obvious way: cut both into names and compare one by one as the system compares names. */
const slowWithin = (child: readonly string[], parent: readonly string[], os: OperatingSystem): boolean => {
  const same = (a: string, b: string): boolean => {
    if (os === 'linux') return a === b;
    const form = (text: string): string => (os === 'macos' ? text.normalize('NFC') : text).toUpperCase().toLowerCase();
    return form(a) === form(b);
  };
  return parent.length <= child.length && parent.every((part, i) => same(part, child[i] ?? ''));
};

describe('a canonical path', () => {
  it('is the same however its separators are doubled, dotted or left at the end', () => {
    fc.assert(
      fc.property(segments, fc.constantFrom(...SYSTEMS), fc.infiniteStream(fc.constantFrom('', '.', './')), (parts, os, noise) => {
        const clean = usable(parts, os);
        const separator = os === 'windows' ? '\\' : '/';
        const plain = canonicalPath(textOf(clean, os), os);
        const noisy = clean.map((part) => `${noise.next().value ?? ''}${separator}${part}`).join(separator);
        expect(canonicalPath(`${os === 'windows' ? 'c:\\' : '/'}${noisy}${separator}`, os)).toBe(plain);
        expect(canonicalPath(plain, os)).toBe(plain);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it.each([
    ['relative', 'linux', 'is relative'],
    ['./x', 'linux', 'is relative'],
    ['/a/../b', 'linux', '".."'],
    ['/..', 'linux', '".."'],
    ['/a\u0000b', 'linux', 'control character'],
    ['/a\nb', 'linux', 'control character'],
    ['\\\\server\\share', 'windows', 'is relative'],
    ['C:relative', 'windows', 'is relative'],
    ['/posix', 'windows', 'is relative'],
    ['C:\\a\\..\\b', 'windows', '".."'],
    ['C:\\a.', 'windows', 'reads as another'],
    ['C:\\a \\b', 'windows', 'reads as another'],
    ['C:\\file.txt:stream', 'windows', 'reads as another'],
  ] as const)('refuses %j on %s', (text, os, why) => {
    expect(() => canonicalPath(text, os)).toThrow(
      expect.objectContaining({ code: 'path.invalid', message: expect.stringContaining(why) as string }),
    );
  });

  it('takes the file names that people use: brackets, stars and spaces name files', () => {
    expect(canonicalPath('/app/[id]/page.tsx', 'linux')).toBe('/app/[id]/page.tsx');
    expect(canonicalPath('c:/Users/a b/x', 'windows')).toBe('C:\\Users\\a b\\x');
  });

  it('is one for both names that macOS has for a place', () => {
    expect(canonicalPath('/var/db/x', 'macos')).toBe('/private/var/db/x');
    expect(canonicalPath('/private/var/db/x', 'macos')).toBe('/private/var/db/x');
    expect(canonicalPath('/TMP', 'macos')).toBe('/private/TMP');
    expect(canonicalPath('/variety', 'macos')).toBe('/variety');
    expect(canonicalPath('/System/Volumes/Data/Users/u', 'macos')).toBe('/Users/u');
    expect(canonicalPath('/System/Volumes/Data/etc/x', 'macos')).toBe('/private/etc/x');
    expect(canonicalPath('/var/db/x', 'linux')).toBe('/var/db/x');
  });

  it('compares Unicode forms only where the system does', () => {
    expect(isWithin('/caf\u00e9/x', '/cafe\u0301', 'macos')).toBe(true);
    expect(isWithin('/caf\u00e9/x', '/cafe\u0301', 'linux')).toBe(false);
  });
});

describe('containment', () => {
  it('agrees with comparing name by name', () => {
    fc.assert(
      fc.property(segments, segments, fc.constantFrom(...SYSTEMS), (a, b, os) => {
        const [child, parent] = [usable(a, os), usable(b, os)];
        const [c, p] = [canonicalPath(textOf(child, os), os), canonicalPath(textOf(parent, os), os)];
        expect(isWithin(c, p, os)).toBe(slowWithin(child, parent, os));
        const found = lookUpwards(folded(c, os), os, (place) => (place === folded(p, os) ? true : undefined)) ?? false;
        expect(found).toBe(slowWithin(child, parent, os));
      }),
      { numRuns: LAW_RUNS * 5 },
    );
  });

  it('is not fooled by names that begin alike', () => {
    expect(isWithin('/home/ab', '/home/a', 'linux')).toBe(false);
    expect(isWithin('/home/a', '/home/a/', 'linux')).toBe(false);
    expect(isWithin('/home/a/b', '/', 'linux')).toBe(true);
    expect(isWithin('C:\\Users', 'C:\\', 'windows')).toBe(true);
    expect(isWithin('C:\\USERS\\x', 'c:\\users', 'windows')).toBe(true);
    expect(isWithin('/Home/x', '/home', 'macos')).toBe(true);
    expect(isWithin('/Home/x', '/home', 'linux')).toBe(false);
  });

  it('looks at each parent once, nearest first', () => {
    const seen = (path: string, os: OperatingSystem): string[] => {
      const places: string[] = [];
      lookUpwards(path, os, (place) => void places.push(place));
      return places;
    };
    expect(seen('/a/b/c', 'linux')).toEqual(['/a/b/c', '/a/b', '/a', '/']);
    expect(seen('/', 'linux')).toEqual(['/']);
    expect(seen('c:\\a\\b', 'windows')).toEqual(['c:\\a\\b', 'c:\\a', 'c:\\']);
  });
});
