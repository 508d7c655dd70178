/**
 * A line of strace(1) with `-f -y`, as accesses to files. Names of files are whatever a program likes, so strace escapes what could end a string, a path or a line;
 * what is not understood here is no access.
 */
import path from 'node:path/posix';

export interface FileAccess {
  readonly access: 'read' | 'write';
  /** Absolute, as the program sees it; for a file that was opened the real one. */
  readonly path: string;
  /** What the program was told: the name of an error, or null where it worked. */
  readonly code: string | null;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));
/** With a folder's descriptor before the path. */
const AT = words(
  'openat openat2 mkdirat mknodat fchownat newfstatat fstatat64 statx unlinkat readlinkat fchmodat fchmodat2 faccessat faccessat2 utimensat futimesat execveat name_to_handle_at',
);
const PLAIN = words(
  `open creat stat lstat stat64 lstat64 access readlink chdir mkdir rmdir unlink chmod chown lchown truncate execve statfs utime utimes mknod getxattr lgetxattr listxattr llistxattr setxattr lsetxattr removexattr lremovexattr`,
);
const WRITES = words(
  `creat mkdir mkdirat mknod mknodat rmdir unlink unlinkat chmod fchmodat fchmodat2 chown lchown fchownat truncate utime utimes utimensat futimesat setxattr lsetxattr removexattr lremovexattr`,
);
const OPENS = words('open openat openat2');
const WRITING = /O_(?:WRONLY|RDWR|CREAT|TRUNC|TMPFILE)/;

const SIMPLE: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, a: 7, b: 8 };

/** @returns the bytes that strace means, as text */
const unescape = (text: string): string => {
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] ?? '';
    if (char !== '\\') {
      bytes.push(...Buffer.from(char));
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(text.slice(i + 1, i + 4))?.[0];
    const next = text[i + 1] ?? '';
    bytes.push(octal === undefined ? (SIMPLE[next] ?? next.charCodeAt(0)) : Number.parseInt(octal, 8));
    i += octal?.length ?? 1;
  }
  return Buffer.from(bytes).toString('utf8');
};

interface Argument {
  /** Of a string that is whole. */
  readonly text: string | undefined;
  /** Where a descriptor leads. */
  readonly leads: string | undefined;
  readonly raw: string;
}

/** The first few arguments of a call. */
const argumentsOf = (list: string): readonly Argument[] =>
  [...list.matchAll(/\s*("(?:[^"\\]|\\.)*"(?:\.\.\.)?|(?:AT_FDCWD|\d+)<(?:[^<>\\]|\\.)*>|\{[^}]*\}|\[[^\]]*\]|[^,"<{[]+)\s*(?:,|$)/gy)]
    .slice(0, 5)
    .map(([, raw = '']) => ({
      raw,
      text: raw.startsWith('"') && raw.endsWith('"') ? unescape(raw.slice(1, -1)) : undefined,
      leads: /^(?:AT_FDCWD|\d+)<(.*)>$/s.exec(raw)?.[1],
    }));

/** @param at the folder that the path is below, where it does not begin at the root */
const placeOf = (at: Argument | undefined, name: Argument | undefined): string | undefined => {
  if (name?.text === undefined || name.text === '') return undefined;
  if (name.text.startsWith('/')) return path.normalize(name.text);
  const folder = at?.leads === undefined ? undefined : unescape(at.leads);
  return folder?.startsWith('/') === true ? path.join(folder, name.text) : undefined;
};

/** The paths of a call with what is done to each. */
const targetsOf = (name: string, [a, b, c, d]: readonly Argument[]): readonly (readonly [FileAccess['access'], string | undefined])[] => {
  switch (name) {
    case 'rename':
      return [
        ['write', placeOf(undefined, a)],
        ['write', placeOf(undefined, b)],
      ];
    case 'renameat':
    case 'renameat2':
      return [
        ['write', placeOf(a, b)],
        ['write', placeOf(c, d)],
      ];
    case 'link':
      return [
        ['read', placeOf(undefined, a)],
        ['write', placeOf(undefined, b)],
      ];
    case 'linkat':
      return [
        ['read', placeOf(a, b)],
        ['write', placeOf(c, d)],
      ];
    case 'symlink':
      return [['write', placeOf(undefined, b)]];
    case 'symlinkat':
      return [['write', placeOf(b, c)]];
    default: {
      const isAt = AT.has(name);
      if (!isAt && !PLAIN.has(name)) return [];
      const writes = WRITES.has(name) || (OPENS.has(name) && WRITING.test((isAt ? c : b)?.raw ?? ''));
      return [[writes ? 'write' : 'read', isAt ? placeOf(a, b) : placeOf(undefined, a)]];
    }
  }
};

/** A whole call. */
export const accessesOf = (call: string): readonly FileAccess[] => {
  const [, name = '', list = '', result = '', leads, code] =
    /^(\w+)\((.*)\)\s+= (-1|\d+|\?)(?:<((?:[^<>\\]|\\.)*)>)?(?: (E[A-Z0-9]+) \(.*\))?$/s.exec(call) ?? [];
  if (result === '' || result === '?' || (result === '-1' && code === undefined)) return [];
  const opened = OPENS.has(name) && leads?.startsWith('/') === true ? unescape(leads) : undefined;
  return targetsOf(name, argumentsOf(list)).flatMap(([access, place]) => {
    const found = opened ?? place;
    return found === undefined ? [] : [{ access, path: found, code: code ?? null }];
  });
};

/** How many processes may be in the middle of a call. */
const MOST_UNFINISHED = 4096;

/** @returns a function to feed lines to: a call that was interrupted by another process comes in two parts */
export const createTraceReader = (): ((line: string) => readonly FileAccess[]) => {
  const unfinished = new Map<string, string>();
  return (line) => {
    const [, pid = '', said = ''] = /^(?:\[pid +(\d+)\] )?(.*)$/s.exec(line) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/s.exec(said)?.[1];
    if (begun !== undefined) {
      if (unfinished.size >= MOST_UNFINISHED) unfinished.clear();
      unfinished.set(pid, begun);
      return [];
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/s.exec(said)?.[1];
    if (rest === undefined) return accessesOf(said);
    const first = unfinished.get(pid);
    unfinished.delete(pid);
    return first === undefined ? [] : accessesOf(first + rest);
  };
};
