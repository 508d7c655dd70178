import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { loadSecrets, prepareStateFolder } from './secrets.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-state-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
});

describe('secrets', () => {
  it('are made once, private, and the same from start to start', () => {
    const first = loadSecrets(folder);
    expect(Buffer.from(first.database, 'base64url')).toHaveLength(32);
    expect(loadSecrets(folder)).toEqual(first);
    expect(fs.statSync(path.join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(folder)).toEqual(['secrets.json']);
  });

  it('that are damaged stop the start and are never made anew: the database would be locked out', () => {
    loadSecrets(folder);
    const file = path.join(folder, 'secrets.json');
    for (const text of ['', '{', 'null', '[]', '{"database":1}', '{"database":""}', '{"databas":"x"}']) {
      fs.writeFileSync(file, text);
      expect(() => loadSecrets(folder), text).toThrow(expect.objectContaining({ code: 'state.damaged', place: file }));
      expect(fs.readFileSync(file, 'utf8')).toBe(text);
    }
  });
});

describe('the state folder', () => {
  it('is made, and closed to others', () => {
    const state = path.join(folder, 'a/b');
    prepareStateFolder(state);
    expect(fs.statSync(state).mode & 0o066).toBe(0);
  });

  it('that cannot be used says so', () => {
    fs.writeFileSync(path.join(folder, 'file'), '');
    const place = path.join(folder, 'file/state');
    expect(() => prepareStateFolder(place)).toThrow(expect.objectContaining({ code: 'state.unusable', place }));
  });
});
