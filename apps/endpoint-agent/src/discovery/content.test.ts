import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { createContents } from './content.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'content-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const file = (name: string, content: Buffer): string => {
  const place = path.join(folder, name);
  fs.writeFileSync(place, content);
  return place;
};
const uid = process.getuid?.() ?? 0;
const program = randomBytes(8192);

describe('the content of a program', () => {
  it('is known again under any name, and only if it is the same to the last byte', async () => {
    const contents = createContents();
    const known = file('codex', program);
    const copy = file('helper', program);
    const other = file('other', Buffer.concat([program.subarray(0, -1), Buffer.from([(program.at(-1) ?? 0) ^ 1])]));
    const longer = file('longer', Buffer.concat([program, Buffer.from('x')]));
    expect(await contents.match(copy)).toBeUndefined();
    await contents.learn([{ agent: 'codex', file: known, uid }]);
    expect(await Promise.all([copy, other, longer, path.join(folder, 'none')].map(contents.match))).toEqual([
      'codex',
      undefined,
      undefined,
      undefined,
    ]);
    await contents.learn([]);
    expect(await contents.match(copy)).toBeUndefined();
  });

  it('is not remembered from before it changed', async () => {
    const contents = createContents();
    const copy = file('changing', program);
    await contents.learn([{ agent: 'codex', file: file('codex', program), uid }]);
    expect(await contents.match(copy)).toBe('codex');
    fs.writeFileSync(copy, randomBytes(8192));
    fs.utimesSync(copy, 1, 1);
    expect(await contents.match(copy)).toBeUndefined();
  });

  it('of a few lines is like many others, and is not compared', async () => {
    const contents = createContents();
    const small = Buffer.from('#!/bin/sh\nexec node x\n');
    await contents.learn([{ agent: 'codex', file: file('small', small), uid }]);
    expect(await contents.match(file('small-too', small))).toBeUndefined();
  });

  it('is not read for an account that could not read it', async () => {
    const contents = createContents();
    const secret = file('secret', program);
    fs.chmodSync(secret, 0o600);
    const nobody = uid + 12_345;
    await contents.learn([{ agent: 'codex', file: secret, uid: nobody }]);
    expect(await contents.match(file('guess', program))).toBeUndefined();
    fs.chmodSync(secret, 0o644);
    expect(await contents.match(file('guess', program))).toBe('codex');
  });

  it('is never waited for: a pipe and a folder are no programs', async () => {
    const contents = createContents();
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await contents.learn([
      { agent: 'codex', file: pipe, uid },
      { agent: 'codex', file: folder, uid },
    ]);
    expect(await Promise.all([contents.match(pipe), contents.match(folder)])).toEqual([undefined, undefined]);
  });
});
