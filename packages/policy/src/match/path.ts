/** The one canonical form of a path and the one containment test. POSIX and Windows forms both; case folds where the system's default does. */
import { CordonError } from '../errors.ts';
import type { OperatingSystem } from '../effective.ts';

const refuse = (path: string, why: string): never => {
  throw new CordonError('path.invalid', `${JSON.stringify(path)} ${why}`, { place: path });
};

/** macOS keeps names in whatever Unicode form and compares them in one; Linux and Windows compare what is written. */
const normalised = (text: string, os: OperatingSystem): string => (os === 'macos' ? text.normalize('NFC') : text);

/** Where macOS has two names for one place, its own: the data volume is merged into the root, and three folders of the root are links. */
const ownNames = (segments: readonly string[]): readonly string[] => {
  const at = (i: number): string => (segments[i] ?? '').toLowerCase();
  if (at(0) === 'system' && at(1) === 'volumes' && at(2) === 'data') return ownNames(segments.slice(3));
  return ['etc', 'tmp', 'var'].includes(at(0)) ? ['private', ...segments] : segments;
};

/**
 * Canonical form: absolute, no empty or dot segment, no trailing separator. Windows paths keep their drive in upper case and use `\`;
 * on macOS `/etc`, `/tmp`, `/var` and what is below them lie in `/private`.
 * @throws CordonError `path.invalid` for relative paths, `..` and control characters
 */
export const canonicalPath = (text: string, os: OperatingSystem): string => {
  if (/\p{Cc}/u.test(text)) refuse(text, 'holds a control character');
  const windows = os === 'windows';
  const normal = normalised(windows ? text.replaceAll('/', '\\') : text, os);
  const drive = windows ? /^([A-Za-z]):\\/.exec(normal) : null;
  if (windows ? drive === null : !normal.startsWith('/'))
    refuse(text, `is relative; begin with ${windows ? 'a drive such as C:\\' : '/'} or a variable such as \${workspace}`);
  const separator = windows ? '\\' : '/';
  const segments = normal
    .slice(windows ? 3 : 1)
    .split(separator)
    .filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) refuse(text, 'holds "..", which could lead anywhere; write the path that is meant');
  // Windows drops trailing dots and spaces of a name, and reads what follows a colon as a stream of the file.
  if (windows && segments.some((segment) => /[. ]$|:/.test(segment)))
    refuse(text, 'holds a name that Windows reads as another: it ends in a dot or space, or holds a colon');
  return windows
    ? `${drive?.[1]?.toUpperCase() ?? ''}:\\${segments.join('\\')}`
    : `/${(os === 'macos' ? ownNames(segments) : segments).join('/')}`;
};

/** The form in which the system compares paths: case does not count on macOS and Windows (their default). */
export const folded = (path: string, os: OperatingSystem): string =>
  os === 'linux' ? path : normalised(path, os).toUpperCase().toLowerCase();

/** Whether `child` is `parent` or lies below it; `/home/ab` is not below `/home/a`. Both canonical. */
export const isWithin = (child: string, parent: string, os: OperatingSystem): boolean => {
  const c = folded(child, os);
  const p = folded(parent, os);
  const separator = os === 'windows' ? '\\' : '/';
  return c === p || c.startsWith(p.endsWith(separator) ? p : p + separator);
};

/**
 * Looks at a folded path and each of its parents, from itself upwards to the root.
 * @param lengths when given, only places of these lengths are looked at: most parents are nowhere in an index, and cutting text costs more than a number
 * @returns the first answer that is not undefined
 */
export const lookUpwards = <T>(
  path: string,
  os: OperatingSystem,
  look: (place: string) => T | undefined,
  lengths?: ReadonlySet<number>,
): T | undefined => {
  const separator = os === 'windows' ? '\\' : '/';
  const top = os === 'windows' ? 3 : 1;
  for (let end = path.length; end > top; end = path.lastIndexOf(separator, end - 1)) {
    if (lengths !== undefined && !lengths.has(end)) continue;
    const found = look(end === path.length ? path : path.slice(0, end));
    if (found !== undefined) return found;
  }
  return look(path.slice(0, top));
};
