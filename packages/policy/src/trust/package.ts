/** What an endpoint installs is signed by a release key: one statement with the digest of the archive and of every file in it. Verified before anything of it is unpacked. */
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { CordonError } from '../errors.ts';
import { HexDigest } from '../protocol/enrollment.ts';
import { openCompact, signCompact, type Signer } from './envelope.ts';
import { admit } from './keys.ts';
import { parseStrictJson } from './strict-json.ts';

const closed = { additionalProperties: false } as const;
const Size = Type.Integer({ minimum: 0, maximum: 2 ** 32 });
const VERSION = '(?:0|[1-9][0-9]{0,5})';

export const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'] as const;
export type Platform = (typeof PLATFORMS)[number];

export const PackedEntry = Type.Object(
  {
    path: Type.String({ pattern: '^[A-Za-z0-9@_+.-]+(?:/[A-Za-z0-9@_+.-]+)*$', maxLength: 240 }),
    sha256: HexDigest,
    size: Size,
    executable: Type.Boolean(),
  },
  closed,
);
export type PackedEntry = Static<typeof PackedEntry>;

/** Payload of `cordon-package+jws`. No time stands in it: the same input gives the same bytes. */
export const PackageManifest = Type.Object(
  {
    format: Type.Literal('cordon-package/1'),
    version: Type.String({ pattern: `^${VERSION}\\.${VERSION}\\.${VERSION}$` }),
    platform: Type.Enum([...PLATFORMS]),
    /** Versions of what is in it. */
    node: Type.String({ pattern: '^[0-9.]{1,16}$' }),
    mxc: Type.String({ pattern: '^[0-9.]{1,16}$' }),
    archive: Type.Object({ sha256: HexDigest, size: Size }, closed),
    files: Type.Array(PackedEntry, { minItems: 1, maxItems: 2000 }),
  },
  closed,
);
export type PackageManifest = Static<typeof PackageManifest>;
const Manifest = Compile(PackageManifest);

/** In characters of the signed statement. */
export const MAX_PACKAGE_JWS = 1_048_576;

/** The folder in which everything of a package lies. */
export const folderOf = ({ version, platform }: Pick<PackageManifest, 'version' | 'platform'>): string =>
  `cordon-agent-${version}-${platform}`;

export const signPackage = (manifest: PackageManifest, key: Signer): Promise<string> => signCompact(manifest, 'cordon-package+jws', key);

/** A path that leads nowhere but down, each named once: the same name in two cases would be one file on some systems. */
const checkPaths = (files: readonly PackedEntry[]): void => {
  const names = files.map(({ path }) => path.toLowerCase());
  const wrong = files.find(({ path }) => path.split('/').some((name) => name === '.' || name === '..' || name.endsWith('.')));
  if (wrong !== undefined || new Set(names).size !== names.length)
    throw new CordonError(
      'package.path',
      `the package names ${wrong === undefined ? 'a file twice' : JSON.stringify(wrong.path)}: it was made wrongly`,
    );
};

/**
 * @param keys the release keys that this endpoint trusts, as JWKs
 * @throws CordonError `package.schema`, `package.path`, `jws.*`, `json.*`, `key.refused`
 */
export const openPackage = async (jws: string, keys: readonly unknown[]): Promise<PackageManifest> => {
  const { payload } = await openCompact(jws.trim(), { typ: 'cordon-package+jws', keys: admit(...keys), maxBytes: MAX_PACKAGE_JWS });
  if (!Manifest.Check(payload))
    throw new CordonError(
      'package.schema',
      'the package is described in a way that this version does not understand: install the version before it first',
    );
  checkPaths(payload.files);
  return payload;
};

const Keys = Compile(Type.Object({ keys: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 8 }) }, closed));

/** The file of release keys: `{"keys": [JWK, …]}`; more than one while they are being changed. @throws CordonError `package.keys`, `key.refused` */
export const readReleaseKeys = (text: string): readonly unknown[] => {
  let value: unknown;
  try {
    value = parseStrictJson(text, { maxBytes: 8192, maxDepth: 4 });
  } catch (cause) {
    throw new CordonError('package.keys', 'the release keys are not JSON', { cause });
  }
  if (!Keys.Check(value))
    throw new CordonError('package.keys', 'expected {"keys": [JWK, …]}, the file that npm run pack:agent wrote as release-keys.json');
  admit(...value.keys);
  return value.keys;
};

/** @returns below 0 when `a` is the older version */
export const compareVersions = (a: string, b: string): number => {
  const [left = [], right = []] = [a, b].map((version) => version.split('.').map(Number));
  return left.map((part, i) => part - (right[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
};
