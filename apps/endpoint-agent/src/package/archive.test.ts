import { spawnSync } from 'node:child_process';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '@cordon/policy/_laws.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { packArchive, type PackedFile } from '../../../../infra/pack/tar.ts';
import { readArchive } from './archive.ts';

const file = (path: string, text = 'x'): PackedFile => ({ path, bytes: Buffer.from(text), executable: false });
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'done';
  } catch (error) {
    return error instanceof CordonError ? error.code : String(error);
  }
};

describe('an archive', () => {
  it('gives back what was packed, in whatever order it was named', () => {
    const name = fc.stringMatching(/^[a-z@_-]{1,60}$/);
    const files = fc.uniqueArray(
      fc.record({
        path: fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
        bytes: fc.uint8Array({ maxLength: 1500 }),
        executable: fc.boolean(),
      }),
      {
        maxLength: 8,
        selector: ({ path }) => path,
      },
    );
    fc.assert(
      fc.property(files, (all) => {
        const archive = packArchive('folder', all);
        expect(packArchive('folder', all.toReversed()).equals(archive)).toBe(true);
        const read = readArchive(archive, 'folder');
        expect(read.map(({ path }) => path).sort()).toEqual(all.map(({ path }) => path).sort());
        for (const { path, bytes } of all) expect(read.find((one) => one.path === path)?.bytes.equals(bytes)).toBe(true);
      }),
      { numRuns: LAW_RUNS },
    );
  });

  it('is read the same by tar, long paths included', () => {
    const long = `${'a'.repeat(90)}/${'b'.repeat(90)}/c`;
    const { stdout } = spawnSync('tar', ['-xzOf', '-', `folder/${long}`], {
      input: packArchive('folder', [file(long, 'found')]),
      encoding: 'utf8',
    });
    expect(stdout).toBe('found');
    expect(codeOf(() => packArchive('folder', [file('a'.repeat(101))]))).toBe('pack.path');
  });

  it('that was cut off, or holds something else than files of its folder, is refused', () => {
    const bytes = gunzipSync(packArchive('folder', [file('a', 'text')]));
    const changed = (at: number, text: string): Buffer => {
      const copy = Buffer.from(bytes);
      copy.write(text, at, 'latin1');
      return gzipSync(copy);
    };
    const header = 512; // of the file, after that of its folder
    expect(codeOf(() => readArchive(gzipSync(bytes), 'folder'))).toBe('done');
    for (const wrong of [
      gzipSync(bytes.subarray(0, header + 512)),
      gzipSync(bytes.subarray(0, 2 * header + 512)),
      changed(header + 156, '2'), // a symbolic link
      changed(header + 156, '1'), // a hard link
      changed(header + 156, 'x'), // a header of another format
      changed(header, '../x'),
      changed(header, '/etc/passwd'),
      changed(header + 124, '77777777777'),
      changed(header + 124, '-0000000001'),
      Buffer.from('no gzip'),
      Buffer.alloc(0),
    ])
      expect(codeOf(() => readArchive(wrong, 'folder'))).toBe('package.archive');
    expect(codeOf(() => readArchive(gzipSync(bytes), 'other'))).toBe('package.archive');
  });
});
