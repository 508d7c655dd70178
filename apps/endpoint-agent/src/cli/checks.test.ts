/** The commands as other suites run them: processes, with cases on standard input and files of any making. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createWorld, keyNamed } from '@cordon/policy/trust/_world.ts';
import { leafHash, MerkleTree } from '@cordon/policy/trust/merkle.ts';
import { makeFolder, removeFolder } from '../policy-state/_device.ts';
import { saveEnrollment } from '../identity/enrollment.ts';

const main = path.join(import.meta.dirname, '../main.ts');
const cordon = (args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [main, ...args], { input, encoding: 'utf8' });
const ask = (command: string, cases: readonly object[]): { id: unknown; ok: boolean; value?: unknown; code?: string }[] => {
  const { status, stdout, stderr } = cordon([command], cases.map((one) => JSON.stringify(one)).join('\n'));
  expect([status, stderr]).toEqual([0, '']);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ReturnType<typeof ask>[number]);
};
const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('cordon json-check', () => {
  it('answers what the strict parser says of text and of bytes', () => {
    const said = ask('json-check', [
      { id: 'text', text: '{"a":[1,"\\u00e9",null]}' },
      { id: 'bytes', base64: base64('[0.5]') },
      { id: 'twice', text: '{"a":1,"a":1}' },
      { id: 'mark', base64: base64(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])) },
      { id: 'utf-8', base64: base64(Buffer.from([0x22, 0xff, 0x22])) },
      { id: 'deep', text: '[[[]]]', maxDepth: 1 },
      { id: 'long', text: '"1234567890"', maxBytes: 11 },
      { id: 'both', text: '1', base64: 'MQ==' },
      { id: 'deeper than a stack', text: '['.repeat(100_000) },
    ]);
    expect(said.map(({ id, ok, value, code }) => [id, ok ? value : code])).toEqual([
      ['text', { a: [1, 'é', null] }],
      ['bytes', [0.5]],
      ['twice', 'json.refused'],
      ['mark', 'json.refused'],
      ['utf-8', 'json.refused'],
      ['deep', 'json.refused'],
      ['long', 'json.too-large'],
      ['both', 'case.malformed'],
      ['deeper than a stack', 'json.refused'],
    ]);
  });
});

describe('cordon key-check', () => {
  it('answers which public keys are admitted, with their thumbprint', () => {
    const { jwk, kid } = keyNamed('alice');
    const said = ask('key-check', [
      { id: 1, jwk },
      { id: 2, jwk: { ...jwk, kid } },
      { id: 3, jwk: { ...jwk, x: 'A'.repeat(43) } },
      { id: 4, jwk: null },
      { id: 5 },
    ]);
    expect(said.map(({ ok, value, code }) => (ok ? value : code))).toEqual([
      kid,
      'key.refused',
      'key.refused',
      'key.refused',
      'case.malformed',
    ]);
  });
});

describe('cordon proof-check', () => {
  it('answers whether a leaf stands where it is said to, by its bytes or by its hash', () => {
    const tree = new MerkleTree();
    const leaves = ['a', 'b', 'c', 'd', 'e'].map((leaf) => Buffer.from(leaf));
    leaves.forEach((leaf, index) => tree.set(index, leaf));
    const right = { index: 3, size: 5, proof: tree.proof(3), root: tree.root() };
    const [leaf, hash] = [base64('d'), leafHash(Buffer.from('d')).toString('hex')];
    const said = ask('proof-check', [
      { id: 1, leaf, ...right },
      { id: 2, leafHash: hash, ...right },
      { id: 3, leaf, ...right, index: 2 },
      { id: 4, leafHash: hash, ...right, proof: right.proof.slice(1) },
      { id: 5, leaf, ...right, root: right.root.toUpperCase() },
      { id: 6, leaf, ...right, size: 2 ** 60 },
      { id: 7, leafHash: 'zz', ...right },
    ]);
    expect(said.map(({ ok, value, code }) => (ok ? value : code))).toEqual([
      true,
      true,
      'proof.refused',
      'proof.refused',
      'proof.refused',
      'proof.refused',
      'case.malformed',
    ]);
  });
});

describe('statuses', () => {
  it('are 125 for what is no question, and 3 for what is refused', async () => {
    for (const args of [
      ['json-check', 'file'],
      ['key-check', '--json'],
      ['proof-check', 'x'],
      ['verify'],
      ['verify', '--state', '/nonexistent'],
    ])
      expect(cordon(args).status, args.join(' ')).toBe(125);
    const folder = makeFolder();
    try {
      const { org, fingerprint, roots, floor } = await createWorld('org_cli');
      const device = `dev_${'0'.repeat(22)}`;
      saveEnrollment(folder, { server: 'https://cordon.example', org, device, memberIndex: 0, fingerprint, roots: [...roots], floor });
      const { status, stdout } = cordon(['verify', '--state', folder, '--now', '2026-03-01T12:01:00Z', '--json']);
      expect([status, stdout.trimEnd().split('\n').length]).toEqual([3, 1]);
      expect(JSON.parse(stdout)).toMatchObject({ verdict: 'refused', code: 'state.missing' });
      expect(fs.readdirSync(folder)).toEqual(['enrollment.json']);
    } finally {
      removeFolder(folder);
    }
  });
});
