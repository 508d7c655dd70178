import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEnrollConfig, readTokenFile, refuseTokenArguments } from './join-request.ts';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-join-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string, mode = 0o600): string => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, content);
  fs.chmodSync(file, mode);
  return file;
};
const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('the configuration file of an enrollment', () => {
  it('gives server and token, or names the file of the token', () => {
    expect(readEnrollConfig(path.join(folder, 'none'))).toBe(undefined);
    expect(readEnrollConfig(put('a', '{"server":"https://x","token":"cordon.t"}'))).toEqual({ server: 'https://x', token: 'cordon.t' });
    const tokenFile = put('t', 'cordon.t\n', 0o644);
    expect(readEnrollConfig(put('b', JSON.stringify({ server: 'https://x', tokenFile }), 0o644))).toEqual({
      server: 'https://x',
      token: 'cordon.t',
    });
  });

  it.each([
    ['{', 'enroll.config'],
    ['[]', 'enroll.config'],
    ['{"server":"x"}', 'enroll.config'],
    ['{"server":"x","token":"t","tokenFile":"f"}', 'enroll.config'],
    ['{"server":"x","token":"t","more":1}', 'enroll.config'],
    ['{"server":"x","server":"y","token":"t"}', 'enroll.config'],
    ['{"server":"x","token":""}', 'enroll.config'],
    ['{"server":"x","tokenFile":"/nowhere/token"}', 'file.unreadable'],
    [`{"server":"x","token":"${'t'.repeat(9000)}"}`, 'file.too-large'],
  ])('%s is none', (content, expected) => {
    expect(() => readEnrollConfig(put('c', content))).toThrow(code(expected));
  });

  it('that others can write to, or read when the token stands in it, is not believed', () => {
    const content = '{"server":"https://x","token":"cordon.t"}';
    for (const mode of [0o604, 0o640, 0o606, 0o660, 0o622])
      expect(() => readEnrollConfig(put('d', content, mode)), mode.toString(8)).toThrow(code('file.unsafe'));
    for (const mode of [0o602, 0o620])
      expect(() => readTokenFile(put('t', 'cordon.t', mode)), mode.toString(8)).toThrow(code('file.unsafe'));
    fs.mkdirSync(path.join(folder, 'folder'));
    expect(() => readTokenFile(path.join(folder, 'folder'))).toThrow(code('file.unreadable'));
  });

  it.skipIf(process.getuid?.() !== 0)('of another account is not believed', () => {
    const file = put('e', '{"server":"https://x","token":"cordon.t"}');
    fs.chownSync(file, 65_534, 65_534);
    expect(() => readEnrollConfig(file)).toThrow(code('file.unsafe'));
  });
});

describe('a token on the command line', () => {
  it.each([
    [['--token', 'x']],
    [['--token=x']],
    [['--server', 'https://x', 'cordon.ent_AAAAAAAAAAAAAAAAAAAA.x.y.z']],
    [['--server', 'https://x', '--token-file=cordon.ent_AAAAAAAAAAAAAAAAAAAA.x.y.z']],
  ])('is refused: %j', (args) => {
    expect(() => refuseTokenArguments(args)).toThrow(code('enroll.token-argument'));
  });

  it.each([
    [[]],
    [['--server', 'https://cordon.example', '--token-file', '/etc/cordon.token']],
    [['--server', 'https://cordon.ent.example']],
  ])('is not what this is: %j', (args) => {
    expect(() => refuseTokenArguments(args)).not.toThrow();
  });
});
