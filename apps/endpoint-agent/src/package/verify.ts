/** Whether an archive, or what lies unpacked, is what a release key signed: to the last byte, nothing missing, and nothing beside it. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { folderOf, MAX_PACKAGE_JWS, openPackage, type PackageManifest } from '@cordon/policy/trust/package.ts';
import { readArchive, type ArchiveFile } from './archive.ts';

/** The signed statement beside an archive, and in the folder of what is installed. */
export const SIGNATURE = 'package.jws';
const MAX_ARCHIVE = 512 * 1024 * 1024;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** @throws CordonError `package.missing`, `package.too-large` */
const readLimited = (file: string, most: number): Buffer => {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true)
    throw new CordonError(
      'package.missing',
      `there is no file ${file}: an archive comes with its signature, ${path.basename(file)}, beside it`,
      { place: file },
    );
  if (stat.size > most) throw new CordonError('package.too-large', `${file} is larger than a package ever is`, { place: file });
  return fs.readFileSync(file);
};

const demandSame = (found: ReadonlyMap<string, Uint8Array>, { files }: PackageManifest, where: string): void => {
  for (const { path: name, size, sha256: digest } of files) {
    const bytes = found.get(name);
    if (bytes === undefined) throw new CordonError('package.file-missing', `${where} lacks ${name}`, { place: name });
    if (bytes.length !== size || sha256(bytes) !== digest)
      throw new CordonError('package.file-changed', `${name} in ${where} is not what was signed`, { place: name });
  }
  if (found.size !== files.length) {
    const more = [...found.keys()].find((name) => !files.some((file) => file.path === name));
    throw new CordonError('package.file-unknown', `${where} holds ${String(more)}, which was not signed`);
  }
};

export interface VerifiedPackage {
  readonly manifest: PackageManifest;
  /** The statement, as it was signed. */
  readonly jws: string;
}

/**
 * The signature first, then the archive's digest, and only then is it unpacked, in memory.
 * @param keys release keys that this endpoint trusts, as JWKs
 * @throws CordonError `package.*`, `jws.*`, `json.*`, `key.refused`
 */
export const verifyArchive = async (
  archive: string,
  keys: readonly unknown[],
): Promise<VerifiedPackage & { readonly files: readonly ArchiveFile[] }> => {
  const jws = readLimited(`${archive}.jws`, MAX_PACKAGE_JWS).toString('utf8');
  const manifest = await openPackage(jws, keys);
  const bytes = readLimited(archive, MAX_ARCHIVE);
  if (bytes.length !== manifest.archive.size || sha256(bytes) !== manifest.archive.sha256)
    throw new CordonError(
      'package.changed',
      `${archive} is not the archive that ${path.basename(archive)}.jws was signed for: fetch both again`,
      { place: archive },
    );
  const files = readArchive(bytes, folderOf(manifest));
  demandSame(new Map(files.map((file) => [file.path, file.bytes])), manifest, archive);
  return { manifest, jws, files };
};

const filesBelow = (folder: string): string[] =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));

/** What is installed, or unpacked by hand. @throws CordonError as `verifyArchive` */
export const verifyFolder = async (folder: string, keys: readonly unknown[]): Promise<VerifiedPackage> => {
  const jws = readLimited(path.join(folder, SIGNATURE), MAX_PACKAGE_JWS).toString('utf8');
  const manifest = await openPackage(jws, keys);
  const found = new Map<string, Uint8Array>();
  for (const name of filesBelow(folder).filter((file) => file !== SIGNATURE)) {
    const file = path.join(folder, name);
    if (!fs.lstatSync(file).isFile()) throw new CordonError('package.file-unknown', `${file} is not a plain file`, { place: file });
    found.set(name, readLimited(file, MAX_ARCHIVE));
  }
  demandSame(found, manifest, folder);
  return { manifest, jws };
};
