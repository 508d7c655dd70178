import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountTinyDisk } from '../tests/_tiny-disk.ts';
import { readJson, writeDurably } from './durable.ts';

let folder: string;
beforeAll(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-durable-'))));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('writeDurably', () => {
  it('writes the whole file, for this account alone, and leaves nothing beside it', () => {
    const file = path.join(folder, 'a.json');
    writeDurably(file, '{"a":1}');
    writeDurably(file, '{"a":2}');
    expect(readJson(file)).toEqual({ a: 2 });
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(folder)).toEqual(['a.json']);
  });

  it('on a full disk says so, and what was there stays', () => {
    const file = path.join(folder, 'full.json');
    writeDurably(file, 'old');
    fs.symlinkSync('/dev/full', `${file}.next`);
    expect(() => writeDurably(file, 'new')).toThrow(expect.objectContaining({ code: 'state.disk-full', retryable: true }));
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    expect(fs.existsSync(`${file}.next`)).toBe(false);
  });

  it('never puts a file in place of which a part did not fit', () => {
    // Without root there is no disk to fill up part of the way; the whole-or-nothing of the test before holds there too.
    const disk = mountTinyDisk(65_536);
    if (disk === undefined) return expect(process.getuid?.()).not.toBe(0);
    try {
      const file = path.join(disk.folder, 'state.json');
      writeDurably(file, 'old');
      disk.fill(8192);
      expect(() => writeDurably(file, 'x'.repeat(20_000))).toThrow(expect.objectContaining({ code: 'state.disk-full' }));
      expect(fs.readFileSync(file, 'utf8')).toBe('old');
      expect(fs.readdirSync(disk.folder).sort()).toEqual(['ballast', 'state.json']);
    } finally {
      disk.remove();
    }
  });

  it('other failures are told as they are', () => {
    expect(() => writeDurably(path.join(folder, 'missing/file'), 'x')).toThrow(/ENOENT/);
  });
});

describe('readJson', () => {
  it('what is missing or damaged is undefined', () => {
    fs.writeFileSync(path.join(folder, 'damaged'), '{"a":');
    expect([readJson(path.join(folder, 'damaged')), readJson(path.join(folder, 'missing'))]).toEqual([undefined, undefined]);
  });
});
