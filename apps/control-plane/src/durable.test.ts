import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeDurably } from './durable.ts';

let folder = '';
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-durable-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

describe('a file of the state folder', () => {
  it('is replaced whole and private, and nothing stays beside it', () => {
    const file = path.join(folder, 'token');
    fs.writeFileSync(file, 'an old one', { mode: 0o644 });
    writeDurably(file, 'new\n');
    expect(fs.readFileSync(file, 'utf8')).toBe('new\n');
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(folder)).toEqual(['token']);
  });

  it('keeps what it had when the new content cannot take its place', () => {
    const file = path.join(folder, 'token');
    fs.mkdirSync(path.join(folder, 'token.next'));
    fs.writeFileSync(file, 'old');
    expect(() => writeDurably(file, 'new')).toThrow(/EISDIR/);
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
  });
});
