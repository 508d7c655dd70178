/** Lays a verified package out on this machine, and starts its service. Can be repeated: what is there already stays. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { readReleaseKeys, type PackageManifest } from '@cordon/policy/trust/package.ts';
import type { ArchiveFile } from '../package/archive.ts';
import { currentOf, environmentOf, keysOf, type Layout, type System } from './layout.ts';
import type { ServiceControl } from './service.ts';
import { commandText, TEMPLATES, unitText } from './unit.ts';
import { linked, openFolder, point, replaceFile, unpack } from './versions.ts';

export interface Target {
  readonly system: System;
  readonly layout: Layout;
  readonly service: ServiceControl;
  readonly log: (message: string) => void;
}

export interface Package {
  readonly manifest: PackageManifest;
  readonly jws: string;
  readonly files: readonly ArchiveFile[];
}

/** @throws CordonError `install.platform` */
export const demandPlatform = ({ manifest }: Pick<Package, 'manifest'>, platform = `${process.platform}-${process.arch}`): void => {
  if (manifest.platform !== platform)
    throw new CordonError(
      'install.platform',
      `the package is for ${manifest.platform}, and this machine is ${platform}: take the archive for ${platform}`,
    );
};

/** Everything beside the versions themselves, from the version that is to be in use: description of the service, command, settings. */
export const layOut = ({ system, layout }: Target, version: string): void => {
  const service = path.join(version, 'service');
  replaceFile(layout.unit, unitText(fs.readFileSync(path.join(service, TEMPLATES[system]), 'utf8'), system, layout), 0o644);
  replaceFile(layout.command, commandText(system, layout), 0o755);
  const settings = environmentOf(layout);
  if (!fs.existsSync(settings)) replaceFile(settings, fs.readFileSync(path.join(service, 'agent.env'), 'utf8'), 0o644);
};

export interface InstallInput {
  readonly pack: Package;
  /** The text of the file with the release keys, by which `pack` was verified: later versions are verified by them. */
  readonly keys: string;
}

/** @returns the folder of the version. @throws CordonError `install.already`, `install.platform`, `install.*`, `package.keys` */
export const install = (target: Target, { pack, keys }: InstallInput): string => {
  const { layout, service, log } = target;
  demandPlatform(pack);
  readReleaseKeys(keys);
  const before = linked(currentOf(layout));
  const version = unpack(layout.home, pack.manifest, pack.jws, pack.files);
  if (before !== undefined && before !== version)
    throw new CordonError('install.already', `another version is installed at ${before}: use cordon upgrade`, { place: before });
  openFolder(layout.settings);
  // The keys that are there stay: they were chosen by whoever installed it first.
  if (!fs.existsSync(keysOf(layout))) replaceFile(keysOf(layout), keys, 0o644);
  layOut(target, version);
  point(currentOf(layout), version);
  service.reload();
  service.start();
  log(`version ${pack.manifest.version} is installed in ${version}`);
  return version;
};
