/** `cordon verify-package`: signature and every byte, of an archive or of what is installed. */
import fs from 'node:fs';
import { readReleaseKeys } from '@cordon/policy/trust/package.ts';
import { verifyArchive, verifyFolder } from '../package/verify.ts';
import { INSTALLATION } from '../place.ts';
import { installedKeys, layoutOf } from './installation.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

export const verifyPackageCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('verify-package', args);
  const [place = INSTALLATION, ...more] = given.words;
  if (more.length > 0) throw misused(commandNamed('verify-package'));
  const file = given.options.get('release-keys');
  const keys = file === undefined ? installedKeys(layoutOf(given).layout) : readReleaseKeys(fs.readFileSync(file, 'utf8'));
  const isFolder = fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const { manifest } = isFolder ? await verifyFolder(place, keys) : await verifyArchive(place, keys);
  const { version, platform, node, mxc, files } = manifest;
  printResult(given, { version, platform, node, mxc, files: files.length }, () => [
    `${place} is version ${version} for ${platform}, as it was signed: ${files.length} files, Node ${node}, MXC ${mxc}`,
  ]);
  return 0;
};
