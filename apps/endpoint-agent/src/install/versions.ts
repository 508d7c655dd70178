/** Versions side by side, each in a folder that is complete before it has its name, and a link that says which is in use. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { folderOf, type PackageManifest } from '@cordon/policy/trust/package.ts';
import type { ArchiveFile } from '../package/archive.ts';
import { SIGNATURE } from '../package/verify.ts';

/** A new version of the same number, as a release made twice is, has another folder. */
const nameOf = (manifest: PackageManifest): string => `${folderOf(manifest)}-${manifest.archive.sha256.slice(0, 12)}`;

const syncFolder = (folder: string): void => {
  const handle = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
};

const writeFile = (file: string, bytes: Uint8Array | string, mode: number): void => {
  const handle = fs.openSync(file, 'wx', mode);
  try {
    fs.writeFileSync(handle, bytes);
    fs.fchmodSync(handle, mode);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
};

/** Makes a folder and those on the way to it, for everybody to read and for nobody else to write. */
export const openFolder = (folder: string): void => {
  if (fs.existsSync(folder)) return;
  openFolder(path.dirname(folder));
  fs.mkdirSync(folder, { mode: 0o755 });
  fs.chmodSync(folder, 0o755);
};

/** Puts one file in place of another at once. */
export const replaceFile = (file: string, content: string, mode: number): void => {
  openFolder(path.dirname(file));
  const next = `${file}.next`;
  fs.rmSync(next, { force: true });
  writeFile(next, content, mode);
  fs.renameSync(next, file);
  syncFolder(path.dirname(file));
};

/** @returns the folder of the unpacked version. Cut off at any moment it is there whole, or not at all */
export const unpack = (home: string, manifest: PackageManifest, jws: string, files: readonly ArchiveFile[]): string => {
  const folder = path.join(home, 'versions', nameOf(manifest));
  if (fs.existsSync(folder)) return folder;
  openFolder(path.dirname(folder));
  const partial = `${folder}.partial`;
  fs.rmSync(partial, { recursive: true, force: true });
  const executable = new Set(manifest.files.filter((file) => file.executable).map((file) => file.path));
  for (const { path: name, bytes } of files) {
    const place = path.join(partial, name);
    openFolder(path.dirname(place));
    writeFile(place, bytes, executable.has(name) ? 0o755 : 0o644);
  }
  writeFile(path.join(partial, SIGNATURE), jws, 0o644);
  fs.renameSync(partial, folder);
  syncFolder(path.dirname(folder));
  return folder;
};

/** @returns where the link leads; undefined when there is none. @throws CordonError `install.link` */
export const linked = (link: string): string | undefined => {
  const stat = fs.lstatSync(link, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isSymbolicLink())
    throw new CordonError('install.link', `${link} is not the link that an installation makes: look what put it there, and remove it`, {
      place: link,
    });
  return path.resolve(path.dirname(link), fs.readlinkSync(link));
};

/** Lets a link lead to another folder, at once. */
export const point = (link: string, folder: string): void => {
  const next = `${link}.next`;
  fs.rmSync(next, { force: true });
  // A junction on Windows, where a link needs rights of its own.
  fs.symlinkSync(path.relative(path.dirname(link), folder), next, process.platform === 'win32' ? 'junction' : 'dir');
  fs.renameSync(next, link);
  syncFolder(path.dirname(link));
};

/** Removes versions that no link leads to. */
export const prune = (home: string, keep: readonly (string | undefined)[]): void => {
  const versions = path.join(home, 'versions');
  for (const name of fs.readdirSync(versions)) {
    const folder = path.join(versions, name);
    if (!keep.includes(folder)) fs.rmSync(folder, { recursive: true, force: true });
  }
};
