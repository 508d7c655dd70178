/** One archive: bundle, parts, and the statement that a release key signs over both. The same input gives the same bytes, wherever and whenever it is packed. */
import { createHash } from 'node:crypto';
import type { Signer } from '@cordon/policy/trust/envelope.ts';
import { folderOf, signPackage, type PackageManifest, type Platform } from '@cordon/policy/trust/package.ts';
import { AGENT_VERSION } from '../../apps/endpoint-agent/src/version.ts';
import { bundleAgent } from './bundle.ts';
import { partsFor, versionsHere } from './parts.ts';
import { packArchive, type PackedFile } from './tar.ts';

export interface Packed {
  readonly name: string;
  readonly archive: Buffer;
  readonly manifest: PackageManifest;
  /** Goes beside the archive, as `NAME.jws`. */
  readonly jws: string;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** @param files all that is in it, but for the signature */
export const assemble = async (platform: Platform, version: string, files: readonly PackedFile[], key: Signer): Promise<Packed> => {
  const { node, mxc } = versionsHere();
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const name = folderOf({ version, platform });
  const archive = packArchive(name, sorted);
  const manifest: PackageManifest = {
    format: 'cordon-package/1',
    version,
    platform,
    node,
    mxc,
    archive: { sha256: sha256(archive), size: archive.length },
    files: sorted.map(({ path, bytes, executable }) => ({ path, sha256: sha256(bytes), size: bytes.length, executable })),
  };
  return { name: `${name}.tar.gz`, archive, manifest, jws: await signPackage(manifest, key) };
};

/**
 * @param folder for packages that have to be fetched
 * @param version another than this checkout's own: for trials of an upgrade
 * @throws CordonError `pack.*`
 */
export const packAgent = async (platform: Platform, key: Signer, folder: string, version = AGENT_VERSION): Promise<Packed> =>
  assemble(platform, version, [...(await bundleAgent(version)), ...partsFor(platform, versionsHere(), folder)], key);
