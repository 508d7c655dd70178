import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { keyPairFromSeed } from '@cordon/policy/trust/keys.ts';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ONLINE_ROLES, openKeys, sealSeeds } from './key-file.ts';

const seeds = Object.fromEntries(ONLINE_ROLES.map((role) => [role, randomBytes(32)]));
const text = Object.fromEntries(Object.entries(seeds).map(([role, seed]) => [role, seed.toString('base64url')]));

describe('private keys at rest', () => {
  let folder: string;
  let file: string;
  let passphrase: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cordon-keys-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    file = path.join(folder, 'keys.json');
    passphrase = path.join(folder, 'passphrase');
    fs.writeFileSync(passphrase, randomBytes(32).toString('base64url'), { mode: 0o600 });
    sealSeeds(file, passphrase, text);
  });

  it('come back with their passphrase, and lie there unreadable and private', () => {
    const keys = openKeys(file, passphrase);
    for (const role of ONLINE_ROLES) expect(keys[role].kid).toBe(keyPairFromSeed(seeds[role] ?? Buffer.alloc(0)).kid);
    const sealed = fs.readFileSync(file, 'utf8');
    for (const seed of Object.values(seeds)) {
      expect(sealed).not.toContain(seed.toString('base64url'));
      expect(sealed).not.toContain(seed.toString('hex'));
    }
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });

  it('are sealed anew each time: the same keys never give the same file', () => {
    const before = fs.readFileSync(file, 'utf8');
    sealSeeds(file, passphrase, text);
    expect(fs.readFileSync(file, 'utf8')).not.toBe(before);
  });

  it('do not open with another passphrase, nor after a change of any part of the file', () => {
    const refusal = expect.objectContaining({ code: 'signer.keys', place: file });
    const other = path.join(folder, 'other');
    fs.writeFileSync(other, 'another', { mode: 0o600 });
    expect(() => openKeys(file, other)).toThrow(refusal);
    const sealed = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, string>;
    for (const part of ['salt', 'iv', 'tag', 'sealed']) {
      const bytes = Buffer.from(sealed[part] ?? '', 'base64url');
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      fs.writeFileSync(file, JSON.stringify({ ...sealed, [part]: bytes.toString('base64url') }));
      expect(() => openKeys(file, passphrase), part).toThrow(refusal);
    }
    for (const content of ['', '{}', 'null', JSON.stringify({ ...sealed, tag: '' })]) {
      fs.writeFileSync(file, content);
      expect(() => openKeys(file, passphrase), content).toThrow(refusal);
    }
  });

  it('do not open with a passphrase that others can read, and say so', () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660]) {
      fs.chmodSync(passphrase, mode);
      expect(() => openKeys(file, passphrase), mode.toString(8)).toThrow(
        expect.objectContaining({ code: 'signer.passphrase', place: passphrase }),
      );
    }
  });

  it('do not open when a role is missing', () => {
    sealSeeds(file, passphrase, { policy: text['policy'] ?? '' });
    expect(() => openKeys(file, passphrase)).toThrow(expect.objectContaining({ code: 'signer.keys' }));
  });
});
