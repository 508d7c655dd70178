/** What the commands that change an installation have in common. */
import fs from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/policy/errors.ts';
import { readReleaseKeys } from '@cordon/policy/trust/package.ts';
import type { Target } from '../install/install.ts';
import { keysOf, layoutFor, type Layout, type System } from '../install/layout.ts';
import { createServiceControl, noService } from '../install/service.ts';
import type { Arguments } from './arguments.ts';

const SYSTEMS: Partial<Readonly<Record<NodeJS.Platform, System>>> = { linux: 'linux', darwin: 'darwin', win32: 'win32' };

/** @throws CordonError `install.system`, `install.prefix` */
export const layoutOf = ({ options }: Pick<Arguments, 'options'>): { readonly system: System; readonly layout: Layout } => {
  const system = SYSTEMS[process.platform];
  if (system === undefined) throw new CordonError('install.system', `there is no installation for ${process.platform}`);
  const prefix = options.get('prefix') ?? '/';
  if (!path.isAbsolute(prefix)) throw new CordonError('install.prefix', `${prefix} is not an absolute path`, { place: 'prefix' });
  return { system, layout: layoutFor(system, path.resolve(prefix)) };
};

/** @throws CordonError `install.rights` */
export const targetOf = (given: Pick<Arguments, 'options' | 'flags'>): Target => {
  const { system, layout } = layoutOf(given);
  if (!given.options.has('prefix') && process.getuid !== undefined && process.getuid() !== 0)
    throw new CordonError('install.rights', 'an installation belongs to the administrator: run this as root');
  // Below a prefix nothing of the machine's own service manager is meant.
  const isBelow = given.options.has('prefix') || given.flags.has('no-service');
  return {
    system,
    layout,
    service: isBelow ? noService : createServiceControl(system, layout),
    log: (message) => void process.stderr.write(`cordon: ${message}\n`),
  };
};

/** The release keys of the installation. @throws CordonError `package.keys`, `file.unsafe` */
export const installedKeys = (layout: Layout): readonly unknown[] => {
  const file = keysOf(layout);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new CordonError('package.keys', `there are no release keys at ${file}: name them by --release-keys FILE`, { place: file });
  const mine = process.getuid?.();
  if (mine !== undefined && ((stat.uid !== 0 && stat.uid !== mine) || (stat.mode & 0o022) !== 0))
    throw new CordonError('file.unsafe', `${file} can be changed by others than the administrator: what it says proves nothing`, {
      place: file,
    });
  return readReleaseKeys(fs.readFileSync(file, 'utf8'));
};
