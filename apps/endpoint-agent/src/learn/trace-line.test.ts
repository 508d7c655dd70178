import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { accessesOf, createTraceReader } from './trace-line.ts';

const told = (line: string): string[] => accessesOf(line).map(({ access, path, code }) => `${access} ${path} ${code ?? 'ok'}`);

describe('a call, as strace writes it', () => {
  it.each<readonly [line: string, accesses: readonly string[]]>([
    ['openat(AT_FDCWD</root>, "/etc/hostname", O_RDONLY) = 3</etc/hostname>', ['read /etc/hostname ok']],
    ['openat(AT_FDCWD</projects>, "a/../b", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)', ['read /projects/b ENOENT']],
    ['openat(AT_FDCWD</>, "/usr/share/locale.alias", O_RDONLY) = 3</etc/locale.alias>', ['read /etc/locale.alias ok']],
    [
      'openat(5</projects/src>, "new", O_WRONLY|O_CREAT|O_TRUNC, 0666) = -1 EROFS (Read-only file system)',
      ['write /projects/src/new EROFS'],
    ],
    ['openat2(AT_FDCWD</w>, "x", {flags=O_RDWR, resolve=RESOLVE_BENEATH}, 24) = 4</w/x>', ['write /w/x ok']],
    ['open("/a", O_RDONLY) = -1 EACCES (Permission denied)', ['read /a EACCES']],
    ['open("relative", O_RDONLY) = 3</w/relative>', ['read /w/relative ok']],
    ['newfstatat(AT_FDCWD</>, "/a b", {st_mode=S_IFREG|0755, st_size=3, ...}, 0) = 0', ['read /a b ok']],
    ['newfstatat(3</a>, "", {st_mode=S_IFREG|0755, ...}, AT_EMPTY_PATH) = 0', []],
    ['execve("/usr/bin/cat", [...], 0x55bdef291188 /* 40 vars */) = 0', ['read /usr/bin/cat ok']],
    ['mkdir("/var/x", 0777)                   = -1 EROFS (Read-only file system)', ['write /var/x EROFS']],
    ['rename("/etc/a", "/etc/b") = -1 ENOENT (No such file or directory)', ['write /etc/a ENOENT', 'write /etc/b ENOENT']],
    ['renameat2(AT_FDCWD</w>, "a", 4</v>, "b", RENAME_NOREPLACE) = 0', ['write /w/a ok', 'write /v/b ok']],
    ['linkat(AT_FDCWD</w>, "a", AT_FDCWD</w>, "b", 0) = 0', ['read /w/a ok', 'write /w/b ok']],
    ['symlinkat("/target", AT_FDCWD</w>, "name") = 0', ['write /w/name ok']],
    ['unlinkat(AT_FDCWD</w>, "gone", 0) = 0', ['write /w/gone ok']],
    ['readlink("/proc/self/exe", "/usr/bin/sh", 4096) = 11', ['read /proc/self/exe ok']],
    ['openat(AT_FDCWD</>, "/\\303\\244\\n\\"\\\\\\76, ", O_RDONLY) = -1 ENOENT (No such file or directory)', ['read /ä\n"\\>,  ENOENT']],
    ['openat(3</a\\76, \\"b>, "c", O_RDONLY) = -1 ENOENT (No such file or directory)', ['read /a>, "b/c ENOENT']],
    ['openat(AT_FDCWD</>, "/very/long"..., O_RDONLY) = -1 ENAMETOOLONG (File name too long)', []],
    ['openat(AT_FDCWD, "unknown folder", O_RDONLY) = -1 ENOENT (No such file or directory)', []],
    ['openat(AT_FDCWD</>, 0x7ff, O_RDONLY) = -1 EFAULT (Bad address)', []],
    ['+++ exited with 0 +++', []],
    ['strace: Process 5 attached', []],
    ['exit_group(0)                           = ?', []],
    ['', []],
  ])('%s', (line, accesses) => {
    expect(told(line)).toEqual(accesses);
  });

  it('in two parts is one, for each process its own', () => {
    const read = createTraceReader();
    expect(read('[pid    7] openat(AT_FDCWD</w>, "a", O_RDONLY <unfinished ...>')).toEqual([]);
    expect(read('[pid   81] openat(AT_FDCWD</w>, "b", O_RDONLY <unfinished ...>')).toEqual([]);
    expect(read('[pid    7] <... openat resumed>)      = 3</w/a>')).toEqual([{ access: 'read', path: '/w/a', code: null }]);
    expect(read('[pid   81] <... openat resumed>) = -1 EACCES (Permission denied)')).toEqual([
      { access: 'read', path: '/w/b', code: 'EACCES' },
    ]);
    expect(read('[pid   81] <... openat resumed>) = 3</w/a>')).toEqual([]);
    expect(read('[pid   81] unlink("/w/c") = 0')).toEqual([{ access: 'write', path: '/w/c', code: null }]);
  });

  /** As strace escapes a name between quotes. */
  const escaped = (name: string): string =>
    [...Buffer.from(name)]
      .map((byte) =>
        byte === 34 || byte === 92
          ? `\\${String.fromCharCode(byte)}`
          : byte < 32 || byte > 126
            ? `\\${byte.toString(8).padStart(3, '0')}`
            : String.fromCharCode(byte),
      )
      .join('');

  it('is read as it was meant, whatever a file is called, and any text is no error', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((name) => !/[/\0]|^\.\.?$/.test(name)),
        fc.string({ unit: 'binary', maxLength: 100 }),
        (name, text) => {
          const line = `openat(AT_FDCWD</w>, "${escaped(name)}", O_RDONLY) = -1 ENOENT (No such file or directory)`;
          expect(told(line)).toEqual([`read /w/${name} ENOENT`]);
          const read = createTraceReader();
          for (const one of [text, `openat(${text}`, `[pid 5] ${text}`])
            expect(read(one).every(({ path }) => path.startsWith('/'))).toBe(true);
        },
      ),
      { numRuns: LAW_RUNS },
    ));
});
