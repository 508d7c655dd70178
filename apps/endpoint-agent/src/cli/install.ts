/** `cordon install ARCHIVE --release-keys FILE`. */
import fs from 'node:fs';
import { readReleaseKeys } from '@cordon/policy/trust/package.ts';
import { install } from '../install/install.ts';
import { verifyArchive } from '../package/verify.ts';
import { targetOf } from './installation.ts';
import { printResult } from './output.ts';
import { argumentsOf, commandNamed } from './table.ts';
import { misused } from './table/command.ts';

export const installCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('install', args);
  const [archive, ...more] = given.words;
  const file = given.options.get('release-keys');
  if (archive === undefined || more.length > 0 || file === undefined) throw misused(commandNamed('install'));
  const target = targetOf(given);
  const keys = fs.readFileSync(file, 'utf8');
  const pack = await verifyArchive(archive, readReleaseKeys(keys));
  const folder = install(target, { pack, keys });
  const { version } = pack.manifest;
  printResult(given, { version, folder, command: target.layout.command }, () => [
    `version ${version} is installed; the command is ${target.layout.command}`,
  ]);
  return 0;
};
