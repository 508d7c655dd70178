/** The one canonical form of a path and the one containment test. POSIX and Windows forms both; case folds where the system's default does. */
import { CordonError } from '../errors.ts';
import type { OperatingSystem } from '../effective.ts';

const refuse = (path: string, why: string): never => {
  throw new CordonError('path.invalid', `${JSON.stringify(path)} ${why}`, { place: path });
};

/**
 * Canonical form: absolute, no empty or dot segment, no trailing separator, Unicode NFC. Windows paths keep their drive in upper case and use `\`.
 * @throws CordonError `path.invalid` for relative paths, `..`, globs and control characters
 */
export const canonicalPath = (text: string, os: OperatingSystem): string => {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(text)) refuse(text, 'holds a control character');
  if (/[*?[\]]/.test(text)) refuse(text, 'holds a glob; name the folder itself: a rule covers everything below it');
  const windows = os === 'windows';
  const normal = (windows ? text.replaceAll('/', '\\') : text).normalize('NFC');
  const drive = windows ? /^([A-Za-z]):\\/.exec(normal) : null;
  if (windows ? drive === null : !normal.startsWith('/'))
    refuse(text, `is relative; begin with ${windows ? 'a drive such as C:\\' : '/'} or a variable such as \${workspace}`);
  const separator = windows ? '\\' : '/';
  const segments = normal
    .slice(windows ? 3 : 1)
    .split(separator)
    .filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) refuse(text, 'holds "..", which could lead anywhere; write the path that is meant');
  return windows ? `${drive?.[1]?.toUpperCase() ?? ''}:\\${segments.join('\\')}` : `/${segments.join('/')}`;
};

const folded = (path: string, os: OperatingSystem): string => (os === 'linux' ? path : path.toLowerCase());

/** Whether `child` is `parent` or lies below it; `/home/ab` is not below `/home/a`. Both canonical. */
export const isWithin = (child: string, parent: string, os: OperatingSystem): boolean => {
  const c = folded(child, os);
  const p = folded(parent, os);
  const separator = os === 'windows' ? '\\' : '/';
  return c === p || c.startsWith(p.endsWith(separator) ? p : p + separator);
};
