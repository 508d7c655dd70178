/** The folders of the daemon: its own, with room. */
import fs from 'node:fs';
import path from 'node:path';
import { checkStateFolder } from '../state-folder.ts';
import { failed, ok, unknown, warning, type Check } from './check.ts';

/** Room for a policy, a full spool, and what the daemon remembers. */
const LEAST_BYTES = 256 * 1024 ** 2;
const LEAST_FILES = 1000;

export interface PlacesOptions {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly statfs: (place: string) => { readonly bavail: number; readonly bsize: number; readonly files: number; readonly ffree: number };
}

const nearest = (place: string): string => {
  for (let at = path.resolve(place); ; at = path.dirname(at)) if (fs.existsSync(at) || at === path.dirname(at)) return at;
};

const isMine = (place: string): boolean => {
  try {
    fs.accessSync(place, fs.constants.R_OK | fs.constants.X_OK);
    return true;
  } catch {
    return false; // another account's
  }
};

const stateCheck = (stateDir: string): Check => {
  if (!fs.existsSync(stateDir)) return ok('state folder', `${stateDir} is made at enrollment`);
  if (!isMine(stateDir)) return unknown('state folder', `${stateDir} belongs to another account: ask as root`);
  checkStateFolder(stateDir);
  return ok('state folder', `${stateDir}, of this account alone`);
};

const roomCheck = ({ stateDir, statfs }: PlacesOptions): Check => {
  const at = nearest(stateDir);
  const { bavail, bsize, files, ffree } = statfs(at);
  const free = bavail * bsize;
  const mebibytes = `${Math.floor(free / 1024 ** 2)} MiB free at ${at}`;
  const mend = `make room at ${at}; until then new policies are not stored, and events are dropped and counted`;
  if (free < LEAST_BYTES) return (free < LEAST_BYTES / 16 ? failed : warning)('disk', mebibytes, mend);
  // Some file systems have no fixed number of files, and say 0.
  if (files > 0 && ffree < LEAST_FILES) return warning('disk', `room for ${ffree} more files at ${at}`, mend);
  return ok('disk', mebibytes);
};

const runtimeCheck = (runtimeDir: string): Check => {
  const stat = fs.lstatSync(runtimeDir, { throwIfNoEntry: false });
  if (stat === undefined) return ok('runtime folder', `${runtimeDir} is made by the daemon`);
  const mine = process.getuid?.();
  if (!stat.isDirectory() || (stat.uid !== mine && stat.uid !== 0) || (stat.mode & 0o022) !== 0)
    return failed(
      'runtime folder',
      `${runtimeDir} is not a folder of its own`,
      `remove ${runtimeDir}, or name another in CORDON_AGENT_RUNTIME`,
    );
  return ok('runtime folder', runtimeDir);
};

/** What the daemon put where launches find it. */
const HELPERS = ['bwrap', 'lxc-exec', 'filter'];

const helpersCheck = (runtimeDir: string): Check => {
  const folder = path.join(runtimeDir, 'helpers');
  if (!fs.existsSync(folder)) return ok('helpers', 'the daemon makes them at its start');
  const wrong = HELPERS.flatMap((name) => {
    const file = path.join(folder, name);
    const stat = fs.lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return [`${file} is not there`];
    if (!stat.isFile() || (stat.uid !== 0 && stat.uid !== process.getuid?.())) return [`${file} is not of root or of this account`];
    return (stat.mode & 0o022) === 0 ? [] : [`${file} can be written to by others`];
  });
  return wrong.length === 0
    ? ok('helpers', `${HELPERS.join(', ')} in ${folder}`)
    : failed('helpers', wrong.join('; '), 'start the daemon again: it makes them anew');
};

export const placeChecks = (options: PlacesOptions): readonly Check[] => {
  const state = (): Check => {
    try {
      return stateCheck(options.stateDir);
    } catch (error) {
      return failed('state folder', error instanceof Error ? error.message : String(error), `chmod -R go= ${options.stateDir}`);
    }
  };
  return [state(), roomCheck(options), runtimeCheck(options.runtimeDir), helpersCheck(options.runtimeDir)];
};
