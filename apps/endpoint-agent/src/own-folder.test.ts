import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownFolder } from './own-folder.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-own-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
const unsafe = expect.objectContaining({ code: 'folder.unsafe' }) as Error;

describe('ownFolder', () => {
  it('is made, and taken again', () => {
    const place = path.join(folder, 'a/b');
    ownFolder(place);
    fs.chmodSync(place, 0o700);
    ownFolder(place);
    expect(fs.statSync(place).mode & 0o777).toBe(0o755);
  });

  it('a link, whatever it leads to, is not ours, and what it leads to stays as it is', () => {
    const hidden = path.join(folder, 'private');
    fs.mkdirSync(hidden, { mode: 0o700 });
    fs.symlinkSync(hidden, path.join(folder, 'link'));
    expect(() => ownFolder(path.join(folder, 'link'))).toThrow(unsafe);
    expect(fs.statSync(hidden).mode & 0o777).toBe(0o700);
  });

  it('what others can write to, or what belongs to them, is not taken', () => {
    const place = path.join(folder, 'shared');
    fs.mkdirSync(place);
    for (const mode of [0o777, 0o775, 0o1777]) {
      fs.chmodSync(place, mode);
      expect(() => ownFolder(place), mode.toString(8)).toThrow(unsafe);
    }
    // Only root can give a folder away; for anybody else, root's own is one of somebody else's.
    const theirs = process.getuid?.() === 0 ? path.join(folder, 'theirs') : '/usr';
    if (process.getuid?.() === 0) {
      fs.mkdirSync(theirs);
      fs.chownSync(theirs, 65_534, 65_534);
    }
    expect(() => ownFolder(theirs)).toThrow(unsafe);
  });

  it('a file in its place is told as what it is', () => {
    fs.writeFileSync(path.join(folder, 'file'), '');
    expect(() => ownFolder(path.join(folder, 'file'))).toThrow(/EEXIST/);
  });
});
