import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW_RUNS } from '../_laws.ts';
import { CordonError } from '../errors.ts';
import { signCompact } from './envelope.ts';
import { keyPairFromSeed } from './keys.ts';
import { compareVersions, folderOf, openPackage, readReleaseKeys, signPackage, type PackageManifest } from './package.ts';

const key = keyPairFromSeed(randomBytes(32));
const other = keyPairFromSeed(randomBytes(32));
const digest = 'a'.repeat(64);
const MANIFEST: PackageManifest = {
  format: 'cordon-package/1',
  version: '0.1.0',
  platform: 'linux-x64',
  node: '24.21.0',
  mxc: '1.0.1',
  archive: { sha256: digest, size: 3 },
  files: [{ path: 'bin/node', sha256: digest, size: 3, executable: true }],
};

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    return error instanceof CordonError ? error.code : String(error);
  }
};
const files = (...paths: string[]): PackageManifest => ({
  ...MANIFEST,
  files: paths.map((path) => ({ path, sha256: digest, size: 1, executable: false })),
});

describe('a signed package', () => {
  it('is opened by each of the release keys, and by no other', async () => {
    const jws = await signPackage(MANIFEST, key);
    expect(await openPackage(`${jws}\n`, [other.jwk, key.jwk])).toEqual(MANIFEST);
    expect(await codeOf(() => openPackage(jws, [other.jwk]))).toBe('jws.key');
    const [header = '', body = '', signature = ''] = jws.split('.');
    const changed = Buffer.from(JSON.stringify({ ...MANIFEST, version: '0.1.1' })).toString('base64url');
    expect(await codeOf(() => openPackage([header, changed, signature].join('.'), [key.jwk]))).toBe('jws.signature');
    expect(body.length).toBeGreaterThan(100);
  });

  it('is no other signed object, and no other is one', async () => {
    const jws = await signCompact(MANIFEST, 'cordon-head+jws', key);
    expect(await codeOf(() => openPackage(jws, [key.jwk]))).toBe('jws.typ');
  });

  it.each([
    ['../bin/node'],
    ['/etc/passwd'],
    ['bin/../../x'],
    ['bin//node'],
    ['bin/'],
    ['bin\\node'],
    ['bin/no\nde'],
    ['bin/.'],
    ['bin/node.'],
    ['C:/x'],
    [''],
  ])('does not name the path %j', async (path) => {
    const code = await codeOf(async () => openPackage(await signPackage(files('bin/ok', path), key), [key.jwk]));
    expect(['package.schema', 'package.path']).toContain(code);
  });

  it('names no file twice, in whatever case', async () => {
    expect(await codeOf(async () => openPackage(await signPackage(files('lib/a.js', 'lib/A.js'), key), [key.jwk]))).toBe('package.path');
  });

  it.each<readonly [string, object]>([
    ['an unknown member', { zzz: 1 }],
    ['another format', { format: 'cordon-package/2' }],
    ['another platform', { platform: 'sunos-x64' }],
    ['a version with a leading zero', { version: '0.01.0' }],
    ['no files', { files: [] }],
  ])('with %s is refused', async (_what, change) => {
    const jws = await signCompact({ ...MANIFEST, ...change }, 'cordon-package+jws', key);
    expect(await codeOf(() => openPackage(jws, [key.jwk]))).toBe('package.schema');
  });

  it('has a folder of its own', () => expect(folderOf(MANIFEST)).toBe('cordon-agent-0.1.0-linux-x64'));
});

describe('release keys', () => {
  it('are a file of JWKs, each checked', async () => {
    expect(readReleaseKeys(JSON.stringify({ keys: [key.jwk, other.jwk] }))).toEqual([key.jwk, other.jwk]);
    expect(await codeOf(() => readReleaseKeys('{"keys":[]}'))).toBe('package.keys');
    expect(await codeOf(() => readReleaseKeys('not json'))).toBe('package.keys');
    expect(await codeOf(() => readReleaseKeys(JSON.stringify({ keys: [{ ...key.jwk, d: 'x' }] })))).toBe('key.refused');
  });
});

describe('versions', () => {
  it('are compared by their numbers', () => {
    expect(compareVersions('0.9.0', '0.10.0')).toBeLessThan(0);
    expect(compareVersions('1.0.0', '0.99.99')).toBeGreaterThan(0);
    const version = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999)).map((parts) => parts.join('.'));
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        expect(compareVersions(a, b) === 0).toBe(a === b);
      }),
      { numRuns: LAW_RUNS },
    );
  });
});
