/** `cordon shim install|remove|status`. */
import fs from 'node:fs';
import path from 'node:path';
import { PROFILES } from '@cordon/policy/agents/profiles.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { callerValues } from '../config.ts';
import { installShims, removeShims, statusOfShims, type ShimPlaces } from '../shim/folder.ts';
import { shimsFor, type Shim } from '../shim/shim.ts';
import type { Arguments } from './arguments.ts';
import { printResult } from './output.ts';
import { argumentsOf } from './table.ts';

/** @throws CordonError `shim.platform` */
const systemHere = (): 'linux' | 'macos' => {
  if (process.platform === 'linux') return 'linux';
  if (process.platform === 'darwin') return 'macos';
  throw new CordonError('shim.platform', `there are no shims on ${process.platform}: start agents with cordon run`);
};

const placesFor = ({ options }: Pick<Arguments, 'options'>, system: 'linux' | 'macos'): ShimPlaces => {
  const prefix = path.resolve(options.get('prefix') ?? '/');
  const installed = path.join(prefix, 'usr/local/bin/cordon');
  return {
    folder: path.join(prefix, 'usr/local/lib/cordon/shims'),
    profile: system === 'linux' ? path.join(prefix, 'etc/profile.d/cordon-shims.sh') : undefined,
    command: fs.existsSync(installed) ? [installed] : [process.execPath, process.argv[1] ?? ''],
  };
};

/** @throws CordonError `shim.rights` */
const requireRights = ({ options }: Pick<Arguments, 'options'>): void => {
  if (!options.has('prefix') && process.getuid?.() !== 0)
    throw new CordonError('shim.rights', 'shims belong to the administrator, so that nothing that runs can change them: run this as root');
};

/** Every shim that there could be. */
const allShims = (system: 'linux' | 'macos'): Shim[] =>
  PROFILES.filter(({ executables = [] }) => executables.some((group) => group.os.includes(system))).flatMap(({ id }) =>
    shimsFor([id], system),
  );

export const shimInstallCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('shim install', args);
  requireRights(given);
  const system = systemHere();
  const places = placesFor(given, system);
  const files = installShims(shimsFor(given.words, system), places);
  printResult(given, { files, folder: places.folder, profile: places.profile ?? null }, () => [
    ...files,
    places.profile === undefined
      ? `Put ${places.folder} first in PATH, for all users: this system has no place for that which every shell reads.`
      : `New login shells have ${places.folder} first in PATH (${places.profile}).`,
    'A shim is a convenience. An agent that is started in another way runs outside containment, and the daemon finds it.',
  ]);
  return 0;
};

export const shimRemoveCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('shim remove', args);
  requireRights(given);
  const system = systemHere();
  const files = removeShims(given.words.length === 0 ? undefined : shimsFor(given.words, system), placesFor(given, system));
  printResult(given, { files }, () => (files.length === 0 ? ['there were none'] : files));
  return 0;
};

const SAYS = { installed: 'as written', changed: 'CHANGED', unsafe: 'UNSAFE: others can change it' } as const;

export const shimStatusCommand = async (args: readonly string[]): Promise<number> => {
  const given = argumentsOf('shim status', args);
  const system = systemHere();
  const places = placesFor(given, system);
  const shims = statusOfShims(allShims(system), places, callerValues(['PATH'])['PATH'] ?? '');
  printResult(given, { folder: places.folder, shims }, () =>
    shims.length === 0
      ? ['no shims are installed: cordon shim install']
      : shims.map(({ name, file, state, starts }) => {
          const where =
            starts === file
              ? 'starts it contained'
              : starts === null
                ? 'nothing starts at this name'
                : `this shell starts ${starts} instead`;
          return `${name.padEnd(16)} ${SAYS[state]}; ${where}`;
        }),
  );
  return 0;
};
